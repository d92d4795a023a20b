"""The defaults of a judge and of a bench by their numbers, and each limit of a verdict from both sides."""

import importlib
import inspect
import math

import pytest

from edgelstm.bench import bench_file, judge, timer
from tests.bench.test_judge import file, verdict

judging = importlib.import_module("edgelstm.bench.judge")  # the name in the package is the function


def defaults_of(function):
    return {name: p.default for name, p in inspect.signature(function).parameters.items() if p.default is not p.empty}


def test_a_metric_may_drop_by_one_percent_and_a_judge_times_for_two_seconds():
    assert defaults_of(judge) == {"max_metric_drop": 0.01, "seconds": 2.0}
    assert (judging.CARRIED_STEPS, judging._BATCH, judging._LOADS) == (10_000, 16, 5)


@pytest.mark.parametrize(
    ("drop", "ship"),
    [(0.01, "int8"), (math.nextafter(0.01, 1), "fp32"), (-0.01, "int8"), (-5.0, "int8"), (math.inf, "fp32")],
)
def test_what_is_worse_by_more_than_the_limit_is_not_shipped_and_what_is_better_always(drop, ship):
    assert verdict(file("int8", 40, 2.0, drop))[0] == ship


@pytest.mark.parametrize(("speed", "ship"), [(1.05, "fast"), (1.0499, "small")])
def test_a_twentieth_faster_is_notable(speed, ship):
    assert verdict(file("fast", 60, speed), file("small", 40, 1.0))[0] == ship


@pytest.mark.parametrize(("speed", "ship"), [(0.953, "small"), (0.952, "as fast")])
def test_a_twentieth_slower_is_no_longer_as_fast(speed, ship):
    assert verdict(file("as fast", 60, 1.0), file("small", 40, speed))[0] == ship


@pytest.mark.parametrize(("size", "ship"), [(99, "int8"), (100, "fp32")])
def test_a_file_is_smaller_or_it_is_not(size, ship):
    assert verdict(file("int8", size, 2.0))[0] == ship


def test_a_bench_measures_for_so_long_unless_told_otherwise():
    assert defaults_of(bench_file) == {
        "device": "cpu",
        "provider_options": None,
        "threads": None,
        "seconds": 3.0,
        "steps": 10_000,
        "streams": (1, 100, 1000),
        "idle_s": 1.0,
        "unverified": False,
    }
    assert (timer.WARM_UP_CALLS, timer.MIN_CALLS, timer.MAX_CALLS) == (20, 20, 100_000)
