"""The pictures of a run: the loss curve and forecasts on held-out windows, as PNG."""

from __future__ import annotations

import io
import math
import warnings
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogFormatter, MaxNLocator
from numpy.typing import NDArray

from edgelstm.contract import Channel
from edgelstm.data.baselines import seasonal_naive
from edgelstm.data.windows import Windows
from edgelstm.train.evaluate import NETWORK, PartScores, network_forecast
from edgelstm.train.network import ForecastNetwork
from edgelstm.train.problem import Problem

DPI = 120
TRUTH, FORECAST, BASELINE, VALIDATION = "#333333", "#0b6fb8", "#d9822b", "#d9822b"
MAX_CHANNELS = 4
CONTEXT_HORIZONS = 4
MIN_CONTEXT = 24  # steps


def plot_loss(history: tuple[tuple[float, float], ...], best_epoch: int) -> bytes:
    """Draw the loss of each epoch, and mark the one that was kept."""
    figure = Figure(figsize=(7.5, 4), layout="constrained")
    axes = figure.add_subplot()
    epochs = np.arange(1, len(history) + 1)
    training, validation = np.array(history).T
    marker = "o" if len(history) <= 30 else ""
    axes.plot(epochs, training, color=FORECAST, marker=marker, markersize=4, label="training")
    if not math.isnan(validation[0]):
        axes.plot(epochs, validation, color=VALIDATION, marker=marker, markersize=4, label="validation")
    if np.nanmin([training, validation]) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FormatStrFormatter("%.3g"))
        axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.axvline(best_epoch, color="#888888", linestyle=":", label=f"kept: epoch {best_epoch}")
    axes.set(xlabel="epoch", ylabel="loss (scaled units)")
    _finish(axes)
    return _png(figure)


def plot_forecast(network: ForecastNetwork, problem: Problem, scores: dict[str, PartScores]) -> bytes:
    """Draw, for each output, the last step of every forecast over the part, and one whole forecast.

    Without a test part the validation windows are drawn, without those the training windows.
    """
    part = "test" if problem.test else "validation" if problem.validation else "training"
    windows = problem.test or problem.validation or problem.training
    forecast = network_forecast(network, windows)(np.arange(len(windows)))
    outputs = problem.outputs[:MAX_CHANNELS]
    figure = Figure(figsize=(12, 1 + 3.4 * len(outputs)), layout="constrained")
    grid = figure.subplots(len(outputs), 2, squeeze=False, width_ratios=[2, 1])
    unit = outputs[0].unit or ""
    one = part in scores and len(problem.outputs) == 1
    rmse = f", RMSE {scores[part][NETWORK].score['rmse']:.3g} {unit}".rstrip() if one else ""
    figure.suptitle(f"{problem.name}: forecasts on the {part} part{rmse}")
    for channel, output in enumerate(outputs):
        _draw_all(grid[channel, 0], windows, forecast, channel, output, problem)
        _draw_one(grid[channel, 1], windows, forecast, channel, output, problem)
    return _png(figure)


def _draw_all(
    axes: Any, windows: Windows, forecast: NDArray[Any], channel: int, output: Channel, problem: Problem
) -> None:
    """The truth, and what was said of it K steps before."""
    rows = windows.y_starts + windows.horizon - 1
    x: NDArray[Any] = rows if problem.test_time is None or problem.test is None else problem.test_time[rows]
    axes.plot(x, windows.y_rows[rows, channel], color=TRUTH, linewidth=1.2, label="truth")
    label = f"forecast {windows.horizon} step{'s' if windows.horizon > 1 else ''} ahead"
    axes.plot(x, forecast[:, -1, channel], color=FORECAST, linewidth=1.2, label=label)
    axes.set(xlabel="time" if x is not rows else "row", ylabel=_axis(output))
    _finish(axes)


def _draw_one(
    axes: Any, windows: Windows, forecast: NDArray[Any], channel: int, output: Channel, problem: Problem
) -> None:
    """The window in the middle: its last samples, its forecast, the truth and the seasonal naive."""
    middle = len(windows) // 2
    ahead = np.arange(1, windows.horizon + 1)
    history = windows.history(slice(middle, middle + 1))
    if history is not None:
        shown = history[0, -max(MIN_CONTEXT, CONTEXT_HORIZONS * windows.horizon) :, channel]
        axes.plot(np.arange(1 - len(shown), 1), shown, color=TRUTH, linewidth=1.2)
        axes.plot([0, 1], [shown[-1], windows.y(slice(middle, middle + 1))[0, 0, channel]], color=TRUTH, linewidth=1.2)
    marker = "o" if windows.horizon <= 24 else ""
    axes.plot(
        ahead,
        windows.y(slice(middle, middle + 1))[0, :, channel],
        color=TRUTH,
        marker=marker,
        markersize=3,
        label="truth",
    )
    if history is not None and problem.season is not None:
        naive = seasonal_naive(windows, problem.season)(np.array([middle]))
        axes.plot(
            ahead,
            naive[0, :, channel],
            color=BASELINE,
            linestyle="--",
            linewidth=1.2,
            label="seasonal naive with drift",
        )
    axes.plot(ahead, forecast[middle, :, channel], color=FORECAST, marker=marker, markersize=3, label="forecast")
    axes.axvline(0.5, color="#bbbbbb", linewidth=1)
    axes.set(xlabel="steps from the last sample", ylabel=_axis(output))
    _finish(axes)


def _axis(channel: Channel) -> str:
    return f"{channel.name} {_unit(channel)}".strip()


def _unit(channel: Channel) -> str:
    return f"({channel.unit})" if channel.unit else ""


def _finish(axes: Any) -> None:
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        frameon=False,
        fontsize=9,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
        borderaxespad=0.2,
        columnspacing=1,
        handlelength=1.4,
    )


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():  # a name in a script that the font lacks is drawn as boxes
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
