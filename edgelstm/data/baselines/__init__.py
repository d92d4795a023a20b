"""Answerers that any network has to be held against, one file for each task.

Each is fitted on the training part; what is chosen, the penalty of ridge and how far quantiles lie from a forecast, is
taken from the validation part, as the best epoch of a network is.
"""

from __future__ import annotations

from edgelstm.data.baselines.forecast import persistence, seasonal_naive
from edgelstm.data.baselines.ridge import RIDGE_ALPHAS, Ridge

__all__ = ["RIDGE_ALPHAS", "Ridge", "persistence", "seasonal_naive"]
