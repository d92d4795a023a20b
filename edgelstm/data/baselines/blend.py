"""Blend forecasts: find shares that sum to 1 and minimize the squared error on held-out windows.

Source: Bates and Granger 1969, "The Combination of Forecasts".
"""

from __future__ import annotations

import numpy as np

from edgelstm.arrays import Array64

ROUNDS, SETTLED = 3000, 1e-9  # maximum rounds of the search, and the change of shares at which it stops
PATH = 41  # points that are tried between two blends
SIMPLER = 1.002  # a single forecast is preferred if its squared error is at most this many times that of the blend


def best_shares(products: Array64) -> Array64:
    """Minimize the squared error of a blend by projected gradient descent.

    Args:
        products: float64 [C, C], the mean product of the errors of each pair of forecasts over windows.

    Returns:
        float64 [C], at least 0, with sum 1.

    Example:
        >>> best_shares(np.array([[1.0, 0.0], [0.0, 3.0]])).round(3).tolist()
        [0.75, 0.25]
    """
    products = products / np.diag(products).min() if np.diag(products).min() > 0 else products
    shares = np.zeros(len(products))
    shares[np.argmin(np.diag(products))] = 1.0
    step = 1 / max(float(np.linalg.eigvalsh(products)[-1]), np.finfo(float).tiny)
    for _ in range(ROUNDS):
        before, shares = shares, _on_the_simplex(shares - step * (products @ shares))
        if np.abs(shares - before).max() < SETTLED:
            break
    return shares


def error_of(shares: Array64, products: Array64) -> float:
    """Give the mean squared error of a blend."""
    return float(shares @ products @ shares)


def nearest_that_holds(wanted: Array64, safe: Array64, products: Array64, limit: float) -> Array64:
    """Move from the wanted shares towards the safe ones until the error is within a limit."""
    for share in np.linspace(0, 1, PATH):
        found: Array64 = (1 - share) * wanted + share * safe
        if error_of(found, products) <= limit:
            return found
    return safe


def _on_the_simplex(values: Array64) -> Array64:
    """Project onto the nearest shares; Duchi et al. 2008, "Efficient Projections onto the l1-Ball"."""
    falling = np.sort(values)[::-1]
    over = (np.cumsum(falling) - 1) / np.arange(1, len(values) + 1)
    shares: Array64 = np.maximum(values - over[np.flatnonzero(falling > over)[-1]], 0)
    return shares
