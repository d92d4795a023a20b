"""Ridge from a target's own past, against least squares that numpy solves: sizes, spreads, channels, the penalty."""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm.data.baselines.own_ridge import OwnRidge, spread_in, usual_spread
from edgelstm.data.baselines.ridge import RIDGE_ALPHAS
from edgelstm.data.windows import end_to_end, from_rows
from tests.data.baselines.plain import own_line

STEPS, HORIZON, OWN = 5, 2, (2, 0)


def walk(seed, size=1.0, rows=60, still=0):
    """Three channels, of which the third and the first are forecast; some rows at the beginning hardly move."""
    steps = np.random.default_rng(seed).normal(size=(rows, 3)) * [1, 40, 7]
    steps[1:still] *= 1e-3
    rows = (size * (np.cumsum(steps, axis=0) + np.array([5, -300, 90]))).astype(np.float32)
    return from_rows(rows, rows[:, list(OWN)], 0, STEPS, HORIZON, 1)


def fleet(seed=0, sizes=(1.0, 500.0), rows=(60, 30)):
    each = [walk(seed + i, size, n, still=20) for i, (size, n) in enumerate(zip(sizes, rows, strict=True))]
    return end_to_end(each, ("a", "b"), np.outer(sizes, [2.0, 3.0]))


def usual_of(windows):
    """The root of the mean variance of the windows of each one's series: [n, targets]."""
    variance = windows.x().astype(np.float64)[..., list(OWN)].var(axis=1)
    each = [np.sqrt(variance[windows.series == number].mean(axis=0)) for number in range(2)]
    return np.array([each[number] for number in windows.series])


def lines_of(windows, alpha, pooled=False):
    """The weight of each target [T, K]."""
    x, y, usual = windows.x()[..., list(OWN)], windows.y(), usual_of(windows)
    if pooled:
        every = [np.concatenate([some[..., target] for target in (0, 1)]) for some in (x, y, usual)]
        return [own_line(every[0], every[1], alpha, every[2])] * 2
    return [own_line(x[..., target], y[..., target], alpha, usual[:, target]) for target in (0, 1)]


def answers(lines, windows):
    past = windows.x()[..., list(OWN)].astype(np.float64)
    seen = past - past[:, -1:]
    return past[:, -1:] + np.stack([seen[..., target] @ lines[target] for target in (0, 1)], axis=-1)


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("alpha", [None, 10.0])
def test_each_target_has_the_line_of_its_own_channel_over_windows_of_one_size(pooled, alpha):
    """Where nobody knows a penalty and nothing is held out, it is 1."""
    windows = fleet()
    found = OwnRidge(windows, None, np.ones(2), OWN, alpha, pooled)
    assert found.alpha == (alpha or 1.0)
    expected = lines_of(windows, found.alpha, pooled)
    for target, channel in enumerate(OWN):
        np.testing.assert_allclose(found.linear.weight[:, target, :, channel].T, expected[target], atol=1e-6)
    everything = np.arange(len(windows))
    np.testing.assert_allclose(found.linear.forecaster(windows)(everything), answers(expected, windows), rtol=1e-5)
    assert not found.linear.bias.any()
    assert np.count_nonzero(found.linear.weight) == HORIZON * 2 * (STEPS - 1)  # not from the others, nor the last


def test_the_penalty_is_the_best_on_validation_where_every_series_weighs_the_same():
    """Errors are divided by the spread of each series, and by how many windows it has."""
    training, validation = fleet(), fleet(10, rows=(40, 90))
    counts = np.bincount(validation.series)

    def error(alpha, weighted=True):
        off = (answers(lines_of(training, alpha), validation) - validation.y()) / validation.spreads[
            validation.series, np.newaxis
        ]
        return ((off**2).mean(axis=(1, 2)) / (counts[validation.series] if weighted else 1)).sum()

    found = OwnRidge(training, validation, np.ones(2), OWN)
    assert found.alpha == min(RIDGE_ALPHAS, key=error)
    assert found.alpha != min(RIDGE_ALPHAS, key=lambda alpha: error(alpha, weighted=False))
    assert OwnRidge(training, validation, np.ones(2), OWN, 0.1).alpha == 0.1


def test_what_is_usual_is_the_root_of_the_mean_variance_and_one_where_nothing_moves():
    still = from_rows(np.ones((9, 3), np.float32), np.ones((9, 2), np.float32), 0, STEPS, HORIZON, 1)
    short = from_rows(np.ones((3, 3), np.float32), np.ones((3, 2), np.float32), 0, STEPS, HORIZON, 1)
    moving = walk(3)
    windows = end_to_end([moving, still, short], ("a", "b", "c"), np.ones((3, 2)))
    x = moving.x().astype(np.float64)[..., list(OWN)]
    np.testing.assert_allclose(usual_spread(windows, OWN), [np.sqrt(x.var(axis=1).mean(axis=0)), [1, 1], [1, 1]])
    np.testing.assert_allclose(usual_spread(moving, OWN), [np.sqrt(x.var(axis=1).mean(axis=0))])


def test_a_window_spreads_by_at_least_a_twentieth_of_what_is_usual():
    windows = np.array([[0.0, 2.0], [0.0, 0.2], [0.0, 0.1], [0.0, 0.0]])
    np.testing.assert_allclose(spread_in(windows, np.full(4, 1.6)), [[1.0], [0.1], [0.08], [0.08]])
