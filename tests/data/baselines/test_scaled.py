"""Lines in the scaled space of a network: what the layer adds is what the baseline forecasts, in every scaling."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgelstm.data.baselines.forecast import persistence, seasonal_naive
from edgelstm.data.baselines.linear import Linear, seasonal, window_mean
from edgelstm.data.baselines.own_ridge import OwnRidge
from edgelstm.data.baselines.ridge import Ridge
from edgelstm.data.baselines.scaled import Space, in_scaled_space, shared_in_scaled_space
from edgelstm.data.scaling import measure
from edgelstm.data.windows import from_rows
from tests.train import shapes

STEPS, HORIZON, SEASON = 12, 5, 4
INPUTS, TARGETS, OWN = ("a", "b", "c"), ("c", "a"), (2, 0)
SCALINGS = ("standard", "minmax", "none", "relative", "instance")
LEVEL = np.array([5.0, -300.0, 2000.0])


def windows_of(size=1.0):
    """A walk in each of three channels, at levels of their own; the third and the first are forecast."""
    rows = LEVEL + np.cumsum(np.random.default_rng(0).normal(size=(150, 3)) * [1, 30, 7], axis=0)
    rows = (rows * size).astype(np.float32)
    return from_rows(rows, rows[:, [2, 0]], 0, STEPS, HORIZON, 1)


def untrained(scaling, **options):
    instance = scaling.kind == "instance"
    plan = shapes.planned(3, 4, 1, HORIZON, 2, scaling.relative_inputs, instance=instance, **options)
    return shapes.network_of(plan, scaling)


def network_of(scaling, line):
    network = untrained(scaling, highway=STEPS)
    network.set_start(line.weight.astype(np.float32), line.bias.astype(np.float32))
    return network.eval()


def lines_of(windows, kind):
    """Lines with what the baseline they stand for forecasts: any in most scalings, free ones by a window's spread."""
    everything = np.arange(len(windows))
    sizes = (STEPS, 3, HORIZON, OWN)
    own = OwnRidge(windows, None, np.ones(2), OWN)
    found = {
        "persistence": (seasonal(*sizes, None, drift=False), persistence(windows)(everything)),
        "seasonal": (seasonal(*sizes, SEASON, drift=True), seasonal_naive(windows, SEASON)(everything)),
        "mean": (window_mean(*sizes), np.repeat(windows.history(everything).mean(1, keepdims=True), HORIZON, 1)),
        "own ridge": (own.linear, own.linear.forecaster(windows)(everything)),
    }
    if kind != "instance":
        ridge = Ridge(windows, None, np.ones(2), OWN)
        found["ridge"] = ridge.linear, ridge.linear.forecaster(windows)(everything)
        weight, bias = (ridge.linear.weight + own.linear.weight) / 2, (ridge.linear.bias + own.linear.bias) / 2
        found["blend"] = Linear(weight, bias, OWN), (found["ridge"][1].astype(np.float64) + found["own ridge"][1]) / 2
    return found


@pytest.mark.parametrize("kind", SCALINGS)
@pytest.mark.parametrize("size", [1.0, 1e-10])
def test_a_network_with_a_start_answers_as_its_baseline(kind, size):
    windows = windows_of(size)
    scaling = measure(kind, windows, INPUTS, TARGETS)
    spread = windows.y_rows.std(axis=0)
    for name, (linear, expected) in lines_of(windows, kind).items():
        space = Space(scaling, shared=False)
        line = in_scaled_space(linear, space)
        with torch.no_grad():
            found = network_of(scaling, line)(torch.from_numpy(windows.x())).numpy()
        assert np.abs((found - expected) / spread).max() < 2e-4, name  # a level of 2000 in float32, unscaled
        exact = space.answers(line, windows.x(), HORIZON)
        assert np.abs((exact - expected) / spread).max() < 2e-5, name


def test_relative_scaling_has_no_weight_on_what_is_always_zero():
    windows = windows_of()
    scaling = measure("relative", windows, INPUTS, TARGETS)
    line = in_scaled_space(seasonal(STEPS, 3, HORIZON, OWN, None, drift=False), Space(scaling, shared=False))
    assert not line.weight.any()
    assert not line.bias.any()


@pytest.mark.parametrize("kind", SCALINGS)
def test_the_frame_is_that_of_the_network(kind):
    windows = windows_of()
    scaling = measure(kind, windows, INPUTS, TARGETS)
    network, seen = untrained(scaling), []
    network.lstm.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    frame = network.run(torch.from_numpy(windows.x())).frame
    (expected,) = seen
    found, scale, base = Space(scaling, shared=False).frame(windows.x())
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=2e-3)
    np.testing.assert_allclose(scale.reshape(-1, 2)[0], frame.scale.reshape(-1, 2)[0], rtol=1e-4)
    np.testing.assert_allclose(base.reshape(-1, 2)[0], frame.base.reshape(-1, 2)[0].numpy(), rtol=1e-5)


def test_channels_that_share_a_network_repeat_their_own_season():
    """Instance scaling divides by the same on the way in and out, so the shared line is exact."""
    rows = windows_of().x_rows
    windows = from_rows(rows, rows, 0, STEPS, HORIZON, 1)
    scaling = measure("instance", windows, INPUTS, INPUTS)
    naive = seasonal(STEPS, 1, HORIZON, (0,), SEASON, drift=True)
    line = shared_in_scaled_space(naive.weight[:, 0, :, 0], Space(scaling, shared=True))
    found = Space(scaling, shared=True).answers(line, windows.x(), HORIZON)
    expected = seasonal_naive(windows, SEASON)(np.arange(len(windows)))
    assert np.abs((found - expected) / rows.std(axis=0)).max() < 0.02
