"""Score the trained network beside the baselines, on every held-out part."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgelstm.contract import Metrics
from edgelstm.data.baselines import Ridge, persistence, seasonal_naive
from edgelstm.data.score import DetailedScore, Forecast, score_windows
from edgelstm.data.windows import Index, Rows, Windows
from edgelstm.train.network import ForecastNetwork
from edgelstm.train.problem import Problem

NETWORK, QUANTIZED = "network", "quantized"
PartScores = dict[str, DetailedScore]


def evaluate(
    network: ForecastNetwork, problem: Problem, quantized: ForecastNetwork | None = None
) -> dict[str, PartScores]:
    """Score the network and the baselines on validation and test.

    Args:
        network: as it was trained.
        problem: gives the windows.
        quantized: the same as its int8 file will compute, to be scored too.

    Returns:
        By part (`"validation"`, `"test"`), by forecaster (`"network"`, `"quantized"`, `"persistence"`, ...).
    """
    ridge = Ridge(problem.training, problem.validation, problem.target_std)
    return {
        part: {
            name: score_windows(forecast, windows, problem.target_std)
            for name, forecast in forecasters(network, ridge, windows, problem.season, quantized).items()
        }
        for part, windows in (("validation", problem.validation), ("test", problem.test))
        if windows is not None
    }


def forecasters(
    network: ForecastNetwork,
    ridge: Ridge,
    windows: Windows,
    season: int | None,
    quantized: ForecastNetwork | None = None,
) -> dict[str, Forecast]:
    """List everything that can forecast these windows: the network first, the baselines beside it.

    Persistence and the seasonal naive need the past of the targets; without it, ridge stands alone.
    """
    found = {NETWORK: network_forecast(network, windows)}
    if quantized is not None:
        found[QUANTIZED] = network_forecast(quantized, windows)
    if windows.history(slice(0, 1)) is not None:
        found["persistence"] = persistence(windows)
        if season is not None:
            found["seasonal naive with drift"] = seasonal_naive(windows, season)
    found["ridge"] = ridge.forecaster(windows)
    return found


def network_forecast(network: ForecastNetwork, windows: Windows) -> Forecast:
    """Forecast with the network; of an answer at every step, the last."""

    def forecast(index: Index) -> Rows:
        y = answer(network, windows.x(index))
        return y[:, -1] if network.every_step else y

    return forecast


def answer(network: ForecastNetwork, x: Rows) -> NDArray[np.float32]:
    """Run the network in evaluation mode: x float32 [B, T, F] to float32 [B, K, O] or [B, T, K, O]."""
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        y: NDArray[np.float32] = network(torch.from_numpy(x)).numpy()
    network.train(was_training)
    return y


def contract_metrics(scores: dict[str, PartScores], problem: Problem) -> tuple[Metrics, ...]:
    """Say the scores in the words of the contract."""
    counts = {"validation": problem.validation, "test": problem.test}
    return tuple(
        Metrics(
            part,
            len(counts[part] or ()),
            found[NETWORK].score,
            None,
            {name: detailed.score for name, detailed in found.items() if name not in (NETWORK, QUANTIZED)},
        )
        for part, found in scores.items()
    )


def metrics_json(scores: dict[str, PartScores], problem: Problem) -> bytes:
    """Write `metrics.json`: every score with its parts, by channel and by horizon step."""
    counts = {"validation": problem.validation, "test": problem.test}
    content: dict[str, Any] = {
        "units": {channel.name: channel.unit for channel in problem.outputs},
        "season": problem.season,
        "parts": {
            part: {
                "windows": len(counts[part] or ()),
                **{name: _words(d, problem) for name, d in found.items()},
            }
            for part, found in scores.items()
        },
    }
    return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"


def _words(detailed: DetailedScore, problem: Problem) -> dict[str, Any]:
    by_channel = dict(zip((c.name for c in problem.outputs), detailed.rmse_by_channel, strict=True))
    return {
        **detailed.score,
        "rmse_by_channel": by_channel,
        "rmse_by_step": list(detailed.rmse_by_step),
    }
