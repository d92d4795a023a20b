"""A pytest plugin: coverage under the name of each test, what it took, and the fixtures that it shares with others.

What a fixture of a module or session runs is recorded under the fixture: every test that uses it counts as covering it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import coverage
import pytest

_TESTS: dict[str, dict] = {}


def _switch(context):
    coverage.Coverage.current().switch_context(context)


def _name(fixture):
    return f"fixture {fixture.baseid}::{fixture.argname}"


def _cpu_seconds():
    """Processor time of this process and of those it waited for: unlike the clock, the same on a loaded machine."""
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    found = getattr(item, "_fixtureinfo", None)
    fixtures = [fixture for same in (found.name2fixturedefs.values() if found else ()) for fixture in same]
    shared = [_name(fixture) for fixture in fixtures if fixture.scope != "function"]
    _TESTS[item.nodeid] = {"seconds": 0.0, "passed": False, "contexts": [item.nodeid, *shared]}
    begun = _cpu_seconds()
    _switch(item.nodeid)
    try:
        return (yield)
    finally:
        _switch("")
        _TESTS[item.nodeid]["seconds"] = _cpu_seconds() - begun


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef):
    if fixturedef.scope == "function":
        return (yield)
    _switch(_name(fixturedef))
    try:
        return (yield)
    finally:
        _switch(next(reversed(_TESTS), ""))


def pytest_runtest_logreport(report):
    if report.when == "call":
        _TESTS[report.nodeid]["passed"] = report.passed


def pytest_sessionfinish():
    """Write the tests beside what coverage writes."""
    Path(os.environ["MUTANTS_TESTS"]).write_text(json.dumps(_TESTS))
