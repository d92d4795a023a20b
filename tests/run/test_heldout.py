"""The held-out part of a run comes back as it was written, and whatever is wrong with one is a RunError."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from edgelstm.errors import RunError
from edgelstm.run import GOLDEN, HELDOUT, read_run
from edgelstm.run.heldout import pack_heldout, read_heldout
from tests.tiny_runs import WINDOW, contract_of, examples_of, fleet_of, write_tiny

KINDS = [
    ("forecast", "number"),
    ("forecast", "quantile"),
    ("classify", "class"),
    ("label", "class"),
    ("label", "number"),
]


def assert_same(one, other):
    assert type(one) is type(other)
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
        else:
            assert a == b, field.name


@pytest.mark.parametrize(("task", "answer"), KINDS)
@pytest.mark.parametrize("times", [False, True])
def test_a_held_out_part_comes_back_as_it_was_written(task, answer, times, tmp_path):
    examples = examples_of(task, answer, times=times)
    (tmp_path / "part").write_bytes(pack_heldout(examples))
    assert_same(read_heldout(tmp_path / "part", contract_of(task, answer, times=times)), examples)


@pytest.mark.parametrize("answer", ["number", "quantile"])
@pytest.mark.parametrize("times", [False, True])
def test_windows_of_many_series_come_back_with_their_names_and_spreads(answer, times, tmp_path):
    windows, contract = fleet_of(answer, times), replace(contract_of("forecast", answer), many_series=True)
    (tmp_path / "part").write_bytes(pack_heldout(windows))
    again = read_heldout(tmp_path / "part", contract)
    assert_same(again, windows)
    np.testing.assert_array_equal(again.series, windows.series)
    with pytest.raises(RunError, match="many_series is False, but there are 3 names"):
        read_heldout(tmp_path / "part", replace(contract, many_series=False))


FLEET_BROKEN = {
    "firsts and spreads apart": {"spreads": None},
    "a first row outside": {"firsts": np.array([0, 60, 10**6])},
    "first rows that do not grow": {"firsts": np.array([0, 60, 60])},
    "a row in front of the first series": {"firsts": np.array([1, 60, 100])},
    "a name too few": {"names": ("north", "south")},
    "a spread of nothing": {"spreads": np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]])},
    "a spread that is no number": {"spreads": np.array([[1.0, 1.0], [np.nan, 1.0], [1.0, 1.0]])},
    "a spread for a target that is not there": {"spreads": np.ones((3, 3))},
    "spreads of another type": {"spreads": np.ones((3, 2), np.float32)},
}


@pytest.mark.parametrize("change", FLEET_BROKEN.values(), ids=FLEET_BROKEN)
def test_windows_of_many_series_that_contradict_themselves_are_refused(change, tmp_path):
    contract = replace(contract_of("forecast", "number"), many_series=True)
    (tmp_path / "part").write_bytes(pack_heldout(replace(fleet_of("number"), **change)))
    with pytest.raises(RunError, match="not a held-out part of this run"):
        read_heldout(tmp_path / "part", contract)


def test_a_run_to_label_comes_back_with_its_series_and_their_names(tmp_path):
    run = write_tiny(tmp_path / "run", "label", "number", "carried")
    again = read_run(tmp_path / "run")
    assert_same(again.heldout, run.heldout)
    assert again.heldout.names == ("1", "2", "3")
    np.testing.assert_array_equal(again.golden_x, run.golden_x)
    assert again.golden_times is None


def test_golden_times_come_back(tmp_path):
    times = write_tiny(tmp_path / "run", "label", "number", "carried", times=True).golden_times
    np.testing.assert_array_equal(times[0], 10**9 + np.arange(WINDOW) * 60)
    np.testing.assert_array_equal(read_run(tmp_path / "run").golden_times, times)


@pytest.mark.parametrize("name", ["times", "lengths"])
def test_golden_times_and_lengths_that_the_network_takes_must_be_there(tmp_path, name):
    write_tiny(tmp_path / "run", "classify", "class", lengths=True, times=True)
    golden = load_file(tmp_path / "run" / GOLDEN)
    golden.pop(name)
    save_file(golden, tmp_path / "run" / GOLDEN)
    with pytest.raises(RunError, match=f"{GOLDEN}: the tensor '{name}' is missing"):
        read_run(tmp_path / "run")


def test_golden_times_that_the_network_does_not_take_are_refused(tmp_path):
    write_tiny(tmp_path / "run", "label", "class", "carried")
    golden = load_file(tmp_path / "run" / GOLDEN)
    save_file({**golden, "times": np.zeros(golden["x"].shape[:2], np.int64)}, tmp_path / "run" / GOLDEN)
    with pytest.raises(RunError, match="unexpected tensor 'times'; train again"):
        read_run(tmp_path / "run")


# Hostile content


def attacked(tmp_path, task, answer, change):
    path = tmp_path / HELDOUT
    path.write_bytes(pack_heldout(examples_of(task, answer, times=True)))
    tensors = load_file(path)
    about = json.loads(tensors["about"].tobytes())
    change(tensors, about["examples"])
    if "about" in tensors:
        tensors["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    save_file({name: np.ascontiguousarray(array) for name, array in tensors.items()}, path)
    return path


def put(name, place, value):
    def change(tensors, about):
        tensors[name] = tensors[name].copy()
        tensors[name][place] = value

    return change


HOSTILE = {
    "a series that begins before the rows": ("label", put("starts", 0, -1)),
    "a series that begins behind the rows": ("label", put("starts", -1, 2**62)),
    "a series that ends behind the rows": ("classify", put("lengths", -1, 9)),
    "a length that overflows": ("classify", put("lengths", 3, 2**63 - 1)),
    "a series without a row": ("classify", put("lengths", 0, 0)),
    "a class that nobody knows": ("classify", put("targets", 0, 3)),
    "a class below unknown": ("label", put("targets", 0, -2)),
    "targets of another length": ("label", lambda t, a: t.update(targets=t["targets"][1:])),
    "targets of another type": ("label", lambda t, a: t.update(targets=t["targets"].astype(np.float32))),
    "names that are too few": ("label", lambda t, a: a["names"].pop()),
    "names that are no texts": ("label", lambda t, a: a.update(names=[1, 2, 3])),
    "steps that are none": ("label", lambda t, a: a.update(steps=0)),
    "no series": ("label", lambda t, a: t.update(starts=t["starts"][:0], lengths=t["lengths"][:0])),
    "series of another task": ("label", lambda t, a: a.update(every_step=False)),
    "another kind": ("label", lambda t, a: a.update(kind="pictures")),
    "windows that are none": ("label", lambda t, a: a.update(kind="windows")),
    "times of another type": ("label", lambda t, a: t.update(times=t["times"].astype(np.float32))),
    "times that are too few": ("label", lambda t, a: t.update(times=t["times"][1:])),
    "another number of channels": ("label", lambda t, a: t.update(x_rows=t["x_rows"][:, :1])),
    "rows of another type": ("label", lambda t, a: t.update(x_rows=t["x_rows"].astype(np.float64))),
    "no rows": ("label", lambda t, a: t.update(x_rows=t["x_rows"][:0], times=t["times"][:0])),
    "nothing said about it": ("label", lambda t, a: t.pop("about")),
    "one tensor less": ("label", lambda t, a: t.pop("starts")),
    "one tensor more": ("label", lambda t, a: t.update(more=t["starts"])),
    "a window that begins before the rows": ("forecast", put("x_starts", 0, -1)),
    "a window that ends behind the rows": ("forecast", put("x_starts", -1, 53)),
    "targets that end behind the rows": ("forecast", put("y_starts", -1, 59)),
    "a window of another length": ("forecast", lambda t, a: a.update(steps=7)),
    "another horizon": ("forecast", lambda t, a: a.update(horizon=2**40)),
    "targets among inputs that are not there": ("forecast", lambda t, a: a.update(target_inputs=[2])),
    "starts without targets": ("forecast", lambda t, a: t.update(y_starts=t["y_starts"][1:])),
    "no window": ("forecast", lambda t, a: t.update(x_starts=t["x_starts"][:0], y_starts=t["y_starts"][:0])),
    "a window that gives a row to two steps": ("forecast", lambda t, a: a.update(y_stride=0)),
    "more rows of targets than of the same rows": (
        "forecast",
        lambda t, a: (a.update(same_rows=True), t.update(y_rows=np.concatenate([t["y_rows"], t["y_rows"]]))),
    ),
    "another number of targets": ("forecast", lambda t, a: t.update(y_rows=t["y_rows"][:, :1])),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_held_out_part_is_refused(what, tmp_path):
    task, change = HOSTILE[what]
    answer = "number" if task == "forecast" else "class"
    path = attacked(tmp_path, task, answer, change)
    with pytest.raises(RunError, match=rf"{HELDOUT}: not a held-out part of this run"):
        read_heldout(path, contract_of(task, answer))


def test_a_held_out_part_of_another_task_is_refused(tmp_path):
    path = tmp_path / HELDOUT
    path.write_bytes(pack_heldout(examples_of("forecast", "number")))
    with pytest.raises(RunError, match="these are not examples of the task label"):
        read_heldout(path, contract_of("label", "number"))


def test_times_that_the_network_takes_must_be_there(tmp_path):
    path = tmp_path / HELDOUT
    path.write_bytes(pack_heldout(examples_of("label", "number")))
    with pytest.raises(RunError, match="'times' is missing"):
        read_heldout(path, contract_of("label", "number", times=True))


@pytest.fixture(scope="module")
def packed():
    return pack_heldout(examples_of("label", "class", times=True))


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, 3000), change=st.integers(1, 255))
@example(place=12, change=1)
def test_one_changed_byte_anywhere_is_a_run_error_or_still_series(packed, tmp_path_factory, place, change):
    path = tmp_path_factory.getbasetemp() / "bitten.safetensors"
    content = bytearray(packed)
    content[place % len(content)] ^= change
    path.write_bytes(content)
    try:
        examples = read_heldout(path, contract_of("label", "class"))
    except RunError:
        return
    x, lengths = examples.padded()
    assert x.shape[0] == len(lengths) == len(examples)
    assert all(len(examples.truth(i)) == lengths[i] for i in range(len(examples)))
