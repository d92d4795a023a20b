"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import edgelstm
from tests.conftest import ROOT

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(edgelstm.__path__, "edgelstm.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    failures, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert failures == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    "name",
    [
        "edgelstm",
        "edgelstm.runtime",
        "edgelstm.train",
        "edgelstm.export",
        "edgelstm.answers",
        "edgelstm.bench",
        "edgelstm.doctor",
        "edgelstm.report",
        "edgelstm.importers",
    ],
)
def test_all_is_complete_and_sorted(name):
    module = importlib.import_module(name)
    assert sorted(module.__all__) == list(module.__all__)
    assert all(getattr(module, public).__doc__ or public == "__version__" for public in module.__all__)
