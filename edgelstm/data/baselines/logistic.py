"""Logistic regression of classes on samples: log-odds that are linear in the channels, by Newton's method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array64

# Times half the squared weights, added to the mean loss: limits the weights if classes are separable.
PENALTY = 1e-4
STEPS = 50
SMALL_STEP = 1e-8
LARGEST_SYSTEM = 512  # unknowns: a square matrix of 2 MB


def fit_logistic(x: Array64, classes: NDArray[np.int64], count: int) -> tuple[Array64, Array64]:
    """Fit the log-odds of classes, linear in a sample, with a penalty that keeps the weights finite.

    Source: Bishop 2006, "Pattern Recognition and Machine Learning", 4.3.3 and 4.3.4, Newton's method.

    Args:
        x: float64 [N, F], approximately standardized.
        classes: int64 [N], from 0 to count - 1.
        count: the number of classes C; C * (F + 1) is at most `LARGEST_SYSTEM`.

    Returns:
        Weights [C, F] and biases [C], which both sum to zero over the classes; the probabilities are
        softmax(x W^T + b).

    Example:
        >>> x = np.linspace(-1, 1, 20)[:, np.newaxis]
        >>> weights, biases = fit_logistic(x, (x[:, 0] > 0.2).astype(int), 2)
        >>> float((biases[0] - biases[1]) / (weights[1] - weights[0])[0]).__round__(2)  # where both are equally likely
        0.21
    """
    z = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    truth = np.eye(count)[classes]
    penalty = np.append(np.full(x.shape[1], PENALTY), 1e-9)  # almost none on the bias
    w, loss = np.zeros((count, z.shape[1])), np.inf
    for _ in range(STEPS):
        p = probabilities(z @ w.T)
        gradient = (p - truth).T @ z / len(z) + w * penalty
        step = np.linalg.solve(_curvature(z, p, penalty), gradient.reshape(-1)).reshape(w.shape)
        w, loss, moved = _shortened(z, truth, penalty, w, step, loss)
        if moved < SMALL_STEP:
            break
    w -= w.mean(axis=0)
    return w[:, :-1], w[:, -1]


def probabilities(logits: Array64) -> Array64:
    """Apply softmax over the last axis: float64 [..., C]."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _curvature(z: Array64, p: Array64, penalty: Array64) -> Array64:
    """Give the matrix of second derivatives, [C * (F + 1), C * (F + 1)]."""
    count, size = p.shape[1], z.shape[1]
    found = np.empty((count, size, count, size))
    for a in range(count):
        for b in range(count):
            weight = p[:, a] * ((a == b) - p[:, b])
            found[a, :, b] = (z * weight[:, np.newaxis]).T @ z / len(z) + (a == b) * np.diag(penalty)
    return found.reshape(count * size, count * size)


def _shortened(
    z: Array64, truth: Array64, penalty: Array64, w: Array64, step: Array64, before: float
) -> tuple[Array64, float, float]:
    """Take the whole step, or halve it until the loss falls: weights, their loss, and how far they moved."""
    for _ in range(20):
        new = w - step
        loss = _loss(z, truth, penalty, new)
        if loss < before:
            return new, loss, float(np.abs(step).max())
        step = step / 2
    return w, before, 0.0


def _loss(z: Array64, truth: Array64, penalty: Array64, w: Array64) -> float:
    logits = z @ w.T
    top = logits.max(axis=1, keepdims=True)
    log_sum = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
    return float((log_sum - (logits * truth).sum(axis=1)).mean() + (w * w * penalty).sum() / 2)
