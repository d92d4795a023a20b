"""Baselines that every network is compared with, one file for each task.

Each is fitted on the training part. The penalty of ridge, and the distance of quantiles from a forecast, are chosen on
the validation part, like the best epoch of a network.
"""

from __future__ import annotations

from edgelstm.data.baselines.forecast import persistence, seasonal_naive
from edgelstm.data.baselines.ridge import RIDGE_ALPHAS, Ridge

__all__ = ["RIDGE_ALPHAS", "Ridge", "persistence", "seasonal_naive"]
