"""Ridge as one augmented least-squares problem, and Huber's weights around it: slow, plain, in numpy alone."""

from __future__ import annotations

import numpy as np


def least_squares(x, y, base, alpha, own=(0,), counts=None):
    """Fit ridge on standardized columns, each window as much as it counts: gives a forecaster."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    counts = np.ones(len(x)) if counts is None else counts
    relative = np.isin(np.arange(x.shape[-1]), own)
    z = (x - x[:, -1:] * relative).reshape(len(x), -1)
    offset = np.average(z, axis=0, weights=counts)
    scale = np.sqrt(np.average((z - offset) ** 2, axis=0, weights=counts))
    scale[scale < 1e-9] = 1
    t = (y - base).reshape(len(y), -1)
    mean, root = np.average(t, axis=0, weights=counts), np.sqrt(counts)[:, np.newaxis]
    rows = np.vstack([root * (z - offset) / scale, np.sqrt(alpha) * np.eye(z.shape[1])])
    goal = np.vstack([root * (t - mean), np.zeros((z.shape[1], t.shape[1]))])
    weights = np.linalg.lstsq(rows, goal, rcond=None)[0]

    def forecast(x, base):
        z = (x - x[:, -1:] * relative).reshape(len(x), -1)
        return ((z - offset) / scale @ weights + mean).reshape(len(x), *y.shape[1:]) + base

    return forecast


def huber(x, y, base, alphas, own=(0,), spread=1.0):
    """Fit ridge, and again for each penalty but the first; a window far off counts less: gives a forecaster.

    Far is more than one and a half times the median; a window twice as far counts half.
    """
    found = least_squares(x, y, base, alphas[0], own)
    for alpha in alphas[1:]:
        off = np.sqrt((((found(x, base) - y) / spread) ** 2).mean(axis=(1, 2)))
        counts = np.minimum(1, 1.5 * np.median(off) / off)
        found = least_squares(x, y, base, alpha, own, counts)
    return found


def own_line(x, y, alpha, usual):
    """Fit the line of one channel, x [n, T] to y [n, K], through zero and without sizes: its weight [T, K].

    A window is divided by its deviation, at least a twentieth of what is usual in its series.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    spread = np.maximum(x.std(axis=1), usual / 20)[:, np.newaxis]
    z, t = (x - x[:, -1:]) / spread, (y - x[:, -1:]) / spread
    scale = np.sqrt((z**2).mean(axis=0))
    scale[scale == 0] = 1
    rows = np.vstack([z / scale, np.sqrt(alpha) * np.eye(x.shape[1])])
    return np.linalg.lstsq(rows, np.vstack([t, np.zeros((x.shape[1], t.shape[1]))]), rcond=None)[0] / scale[:, None]
