"""Answerers that any network has to be held against, one file for each task.

Each is fitted on the training part alone.
"""

from __future__ import annotations

from edgelstm.data.baselines.forecast import RIDGE_ALPHAS, Ridge, persistence, season_of, seasonal_naive

__all__ = ["RIDGE_ALPHAS", "Ridge", "persistence", "season_of", "seasonal_naive"]
