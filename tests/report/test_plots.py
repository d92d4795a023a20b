"""Pictures are PNGs, wide enough to read, for every task, whatever names there are."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from edgelstm.report import History, evaluate_parts, pictures, report_files
from tests.report.conftest import HISTORY, TASKS, evaluation_of
from tests.tiny_runs import contract_of

pytestmark = pytest.mark.usefixtures("rendered")

EXPECTED = {
    "numbers": {"forecast.png"},
    "quantiles": {"forecast.png"},
    "classes": {"confusion.png"},
    "labels": {"confusion.png", "series.png"},
    "numbers at every step": {"series.png"},
}


def size(content):
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", content[16:24])


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_its_pictures(name):
    found = pictures(evaluation_of(name, times=True))
    assert set(found) == EXPECTED[name]
    for content in found.values():
        width, height = size(content)
        assert width >= 600
        assert height >= 300


def test_the_losses_of_a_training_are_drawn_without_validation_and_with_odd_ones():
    evaluation = evaluate_parts(contract_of("forecast", "number"), [])
    for losses in (((1.0, np.nan), (0.5, np.nan)), ((1.0, 1.0),), ((0.0, 1.0), (-1.0, 2.0)), ((1e-9, 1e9),) * 40):
        found = pictures(evaluation, History(losses, 1))
        assert set(found) == {"loss.png"}
        assert size(found["loss.png"])[0] >= 600


def test_a_report_is_all_of_its_files():
    assert set(report_files(evaluation_of("labels"), HISTORY)) == {
        "metrics.json",
        "report.html",
        "confusion.png",
        "series.png",
        "loss.png",
    }
