"""A pytest plugin: run the chosen tests in their order, stop at the first that a mutant fails, and write what was seen.

A verdict is what tests said: a pytest that crashes, finds no test or is killed writes none, and kills nothing.
"""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck

# What hypothesis says about a slow machine, not about the code.
_OF_LOAD = ("DeadlineExceeded", "FailedHealthCheck", "Flaky", "FlakyFailure", "Unsatisfiable")
_SEEN = {"passed": 0, "failed": None, "why": ""}


def pytest_configure():
    limit_s = int(os.environ["MUTANTS_CPU_S"])
    resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s + 5))
    hypothesis.settings.register_profile(
        "mutants", deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    hypothesis.settings.load_profile("mutants")


def pytest_collection_modifyitems(items):
    chosen = json.loads(Path(os.environ["MUTANTS_CHOSEN"]).read_text())
    found = {item.nodeid: item for item in items}
    items[:] = [found[name] for name in chosen if name in found]


def pytest_collectreport(report):
    if report.failed:
        _fail(report.nodeid, str(report.longrepr))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and call.excinfo.typename not in _OF_LOAD:
        _fail(report.nodeid, call.excinfo.exconly())
        item.session.shouldfail = "a test failed"
    elif report.when == "call":
        _SEEN["passed"] += report.passed
    return report


def _fail(nodeid, why):
    if _SEEN["failed"] is None:
        _SEEN.update(failed=nodeid, why=(why.strip().splitlines() or [""])[-1][:200])


def pytest_sessionfinish():
    Path(os.environ["MUTANTS_VERDICT"]).write_text(json.dumps(_SEEN))
