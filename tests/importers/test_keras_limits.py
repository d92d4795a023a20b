"""Limits of what is imported from Keras: each from both sides."""

from __future__ import annotations

import resource
import sys

import numpy as np
import pytest

from edgelstm.errors import NetworkError
from edgelstm.importers.keras import hdf5
from edgelstm.importers.keras.chain import KerasLayer
from edgelstm.importers.keras.functions import function_of

MIB = 2**20


def leaky(slope):
    layer = {"class_name": "LeakyReLU", "config": {"name": "slope", "negative_slope": slope}}
    return function_of(3, KerasLayer("dense", "Dense", {}), layer)


@pytest.mark.parametrize("slope", [0.01, 0.2, 0.3])
def test_a_slope_is_known_within_the_rounding_of_float32_alone(slope):
    assert leaky(float(np.float32(slope))) == leaky(slope)
    assert leaky(slope * (1 + 0.9e-7)) == leaky(slope)
    with pytest.raises(NetworkError, match=r"expected a slope of 0\.01, 0\.2, 0\.3"):
        leaky(slope * (1 + 1.1e-7))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are set on Linux")
@pytest.mark.parametrize(
    ("size", "most"),
    [
        (0, 512 * MIB),
        (MIB, 512 * MIB + 2 * MIB + 4 * 100 * MIB),  # the file twice, and arrays of a hundred times its size
        (2**30, 512 * MIB + 2 * 2**30 + 4 * 2**30),  # but of a gibibyte at most
    ],
)
def test_the_child_that_reads_hdf5_has_these_limits(monkeypatch, size, most):
    limits = {}
    monkeypatch.setattr(resource, "getrlimit", lambda limit: (0, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    hdf5._limit(size)
    with open("/proc/self/statm", encoding="ascii") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    assert limits.pop(resource.RLIMIT_AS)[0] == pytest.approx(taken + most, abs=MIB)
    assert {limit: soft for limit, (soft, hard) in limits.items()} == {
        resource.RLIMIT_CPU: 60,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 0,
    }


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are set on Linux")
def test_a_limit_that_is_stricter_already_stays(monkeypatch):
    limits = {}
    monkeypatch.setattr(resource, "getrlimit", lambda limit: (5, 5))
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    hdf5._limit(MIB)
    assert limits[resource.RLIMIT_CPU] == limits[resource.RLIMIT_AS] == (5, 5)
