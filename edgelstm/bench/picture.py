"""Draw the figures of a file. matplotlib is imported only when needed; a device does not have it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from edgelstm.bench.file import BenchResult
from edgelstm.bench.timer import Latency
from edgelstm.errors import counted, require

DPI = 120
NEW, OLD = "#0b6fb8", "#b0b0b0"
UNDER_TEXT = {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8}
PERCENTILES = ("50 %", "90 %", "99 %", "99.9 %", "all")


def check_drawing() -> None:
    """Check before a long run that a picture can be drawn.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    require("matplotlib", "report")


def draw_result(result: BenchResult, old: BenchResult | None = None) -> bytes:
    """Draw the latencies of step and window, and the throughput of many streams.

    Args:
        result: the figures.
        old: earlier figures to compare with, drawn in grey; None: no comparison.

    Returns:
        A PNG.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    check_drawing()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.8), layout="constrained")
    step, window, streams = figure.subplots(1, 3)
    runs = [(result, NEW, "now")] if old is None else [(old, OLD, "before"), (result, NEW, "now")]
    for run, color, name in runs:
        _draw_latency(step, run.step, color, name)
        _draw_latency(window, run.whole_window, color, name)
        _draw_throughput(streams, run, color)
    step.set_title("one step (us)")
    window.set_title(f"one window of {result.window} steps (us)")
    for axes in (step, window):
        axes.set_xlabel("share of calls that are faster")
    streams.set(title="steps per second", xlabel="streams in one call")
    if old is not None:
        step.legend(frameon=False, loc="upper left")
    invalid = " - INVALID: the machine throttled" if result.throttled else ""
    threads = counted(result.threads, "thread")
    figure.suptitle(f"{result.file} on {result.machine.cpu}, {result.device}, {threads}{invalid}")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI)
    return content.getvalue()


def _draw_latency(axes: Any, latency: Latency, color: str, name: str) -> None:
    values = [latency.p50_us, latency.p90_us, latency.p99_us, latency.p999_us, latency.max_us]
    _draw_line(axes, PERCENTILES, values, color, name)


def _draw_throughput(axes: Any, result: BenchResult, color: str) -> None:
    found = sorted(result.throughput)
    _draw_line(axes, [f"{part.streams:,}" for part in found], [part.steps_per_s for part in found], color, "")


def _draw_line(axes: Any, places: Sequence[str], values: Sequence[float], color: str, name: str) -> None:
    """Draw one line; only the new line is labelled with its values."""
    axes.plot(places, values, "o-", color=color, label=name, markersize=4)
    if color == NEW:
        for i, value in enumerate(values):
            text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
            axes.annotate(text, (i, value), (2, 6), textcoords="offset points", ha="right", fontsize=8, bbox=UNDER_TEXT)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:,.10g}")
    axes.yaxis.set_minor_formatter("")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.15, y=0.2)
