"""The four kinds of model file."""

from __future__ import annotations

import pytest

from edgelstm.runtime import load


@pytest.fixture(params=["window fp32", "window int8", "carried fp32", "carried int8"])
def path(request, window_files, carried_files):
    """A model file of each state and precision in turn."""
    state, precision = request.param.split()
    return getattr({"window": window_files, "carried": carried_files}[state], precision)


@pytest.fixture
def predictor(path):
    """The same, loaded."""
    return load(path)


@pytest.fixture(scope="session")
def window(window_files):
    """A window network in fp32, loaded."""
    return load(window_files.fp32)


@pytest.fixture(scope="session")
def carried(carried_files):
    """A carried network in fp32, loaded."""
    return load(carried_files.fp32)
