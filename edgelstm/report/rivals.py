"""Baselines that need no training part, only the file and the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import QUANTILE_LEVELS, Channel, Contract
from edgelstm.data.baselines.forecast import persistence, seasonal_naive
from edgelstm.data.baselines.linear import Forecast
from edgelstm.data.baselines.outputs import targets_of
from edgelstm.data.examples import Examples
from edgelstm.data.scores.score import Answerer
from edgelstm.data.sequences import Sequences
from edgelstm.data.windows import Index, Windows


def rivals_of(contract: Contract, examples: Examples, season: int | None) -> dict[str, Answerer]:
    """List the baselines that need no training.

    Args:
        contract: of the network.
        examples: to answer.
        season: season length in samples; None: no seasonal naive.

    Returns:
        By name. For forecasts `"persistence"` and `"seasonal naive with drift"`, if the inputs hold past targets; for
        quantiles `"persistence, one value"`, the same value for all levels, because its error is unknown. For labels
        the constant of the training part, if its statistics are known. For classes the most frequent class of these
        examples, which is known only in hindsight.

    Example:
        >>> from edgelstm import load
        >>> from edgelstm.answers import read_examples
        >>> contract = load("models/co2/co2.fp32.onnx").contract
        >>> examples = read_examples("builtin:co2", contract, gaps="interpolate").examples
        >>> list(rivals_of(contract, examples, season=52))
        ['persistence', 'seasonal naive with drift']
    """
    contract = contract.bare
    if isinstance(examples, Windows):
        return _forecasts(contract, examples, season)
    if contract.answer == "class":
        return {"majority, in hindsight": _majority(examples, len(contract.outputs))}
    if all(channel.statistics is not None for channel in contract.outputs):
        return {"constant of training": _constant(examples, contract.outputs)}
    return {}


def _forecasts(contract: Contract, windows: Windows, season: int | None) -> dict[str, Answerer]:
    if windows.history(slice(0, 1)) is None:
        return {}
    found = {"persistence": persistence(windows)}
    if season is not None and season < windows.steps:
        found["seasonal naive with drift"] = seasonal_naive(windows, season)
    if contract.answer != "quantile":
        return dict(found)
    targets = targets_of(contract.outputs)
    return {f"{name}, one value": _at_every_level(forecast, targets) for name, forecast in found.items()}


def _at_every_level(forecast: Forecast, targets: list[int]) -> Answerer:
    return lambda index: forecast(index)[..., targets]


def _majority(sequences: Sequences, classes: int) -> Answerer:
    known = sequences.targets[sequences.targets >= 0]
    shares = (np.bincount(known, minlength=classes) / max(len(known), 1)).astype(np.float32)
    return _repeated(sequences, shares)


def _constant(sequences: Sequences, outputs: tuple[Channel, ...]) -> Answerer:
    """Answer with the mean of the training part, or with its quantiles."""
    values = [
        0.0
        if channel.statistics is None
        else channel.statistics.mean
        if channel.quantile is None
        else np.interp(channel.quantile, QUANTILE_LEVELS, channel.statistics.quantiles)
        for channel in outputs
    ]
    return _repeated(sequences, np.array(values, np.float32))


def _repeated(sequences: Sequences, answer: NDArray[np.float32]) -> Answerer:
    """Give the same answer for every sequence, or for every step of the requested one."""

    def answerer(index: Index) -> NDArray[Any]:
        return np.tile(answer, (len(sequences.truth_of(index)), 1))

    return answerer
