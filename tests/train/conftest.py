"""What tests of trainings share."""

from __future__ import annotations

import importlib

import pytest

from tests.train.by_hand import first_weights


@pytest.fixture(scope="module")
def no_report():
    """Leave out the pictures and the page of a run, which take longer than a tiny training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("edgelstm.train.fit"), "report_files", lambda *_: {}, raising=False)
        yield


@pytest.fixture(scope="module")
def start(no_report, tmp_path_factory):
    """The weights that the trainings of `by_hand` begin with."""
    return first_weights(tmp_path_factory.mktemp("start") / "run")
