"""What an engine is given unless told otherwise, by its numbers, and each limit from both sides."""

import inspect

import pytest

from edgelstm.runtime import Predictor, choice, load, trial
from edgelstm.runtime.engine import providers, threads
from edgelstm.runtime.engine.session import Settings
from edgelstm.runtime.loading import open_model_file


@pytest.mark.parametrize("opens", [load, open_model_file, Predictor])
def test_a_file_is_opened_on_the_cpu_and_verified_with_threads_of_its_own_choice_unless_told_otherwise(opens):
    defaults = {name: p.default for name, p in inspect.signature(opens).parameters.items() if p.default is not p.empty}
    expected = {"device": "cpu", "threads": None, "provider_options": None, "spinning": False, "arena": False}
    assert defaults == expected | ({"unverified": False} if opens is load else {})


def test_a_session_has_one_thread_that_does_not_spin_and_no_arena():
    assert Settings() == ("cpu", 1, {}, False, False)
    assert providers.DEFAULT_OPTIONS == {"CUDAExecutionProvider": {"use_tf32": "0"}}


@pytest.mark.parametrize(("width", "size", "chosen"), [(1024, 2**22, 2), (1023, 2**22, 1), (1024, 2**22 - 1, 1)])
def test_two_threads_begin_at_1024_units(monkeypatch, width, size, chosen):
    monkeypatch.setattr(threads, "recurrent_width", lambda content: width)
    monkeypatch.setattr(threads, "available_cores", lambda: 64)
    assert threads.choose_threads(bytes(size)) == chosen


@pytest.mark.parametrize(("cpu_us", "device"), [(109.0, "cpu"), (110.1, "cuda"), (99.0, "cpu")])
def test_an_accelerator_must_be_a_tenth_faster(cpu_us, device):
    assert choice._fastest({"cpu": cpu_us, "cuda": 100.0}) == device


def test_a_device_is_chosen_over_fifteen_rounds():
    assert choice.ROUNDS == 15


def test_the_child_that_tries_a_file_has_these_limits():
    assert (trial.MEMORY_BYTES, trial.MEMORY_PER_BYTE, trial.CPU_S, trial.WALL_S) == (512 * 2**20, 16, 30, 60)
