"""A reproducible series for benchmarks: the Lorenz system, three channels, stationary.

Source: Lorenz 1963, "Deterministic Nonperiodic Flow", equations 25 to 27 with sigma 10, rho 28, beta 8/3.
"""

from __future__ import annotations

import numpy as np

STEP_S = 0.03
WINDOW, HORIZON = 64, 5


def series(samples: int) -> np.ndarray:
    """float32 [samples, 3], one sample every 0.03 s, integrated with ten Runge-Kutta steps of fourth order each."""
    state, rows = np.array([1.0, 1.0, 20.0]), np.empty((samples, 3))
    for i in range(-1000, samples):  # the first thousand, on the way to the attractor, are dropped
        for _ in range(10):
            state = _runge_kutta(state, STEP_S / 10)
        if i >= 0:
            rows[i] = state
    return rows.astype(np.float32)


def windows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut into windows x [N, 64, 3] and, for every step, the next five values of the first channel [N, 64, 5, 1]."""
    starts = range(0, len(rows) - WINDOW - HORIZON, WINDOW)
    x = np.stack([rows[s : s + WINDOW] for s in starts])
    future = np.arange(WINDOW)[:, np.newaxis] + np.arange(1, HORIZON + 1)
    y = np.stack([rows[s + future, :1] for s in starts])
    return x, y


def parts() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return training, validation and test, in the order of time."""
    rows = series(26_000)
    ends = (0, 18_000, 20_000, 26_000)
    names = ("training", "validation", "test")
    return {n: windows(rows[a:b]) for n, a, b in zip(names, ends, ends[1:], strict=False)}


def _flow(state: np.ndarray) -> np.ndarray:
    x, y, z = state
    return np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])


def _runge_kutta(state: np.ndarray, step: float) -> np.ndarray:
    a = _flow(state)
    b = _flow(state + step / 2 * a)
    c = _flow(state + step / 2 * b)
    d = _flow(state + step * c)
    return state + step / 6 * (a + 2 * b + 2 * c + d)
