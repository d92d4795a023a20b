"""Shared by all pictures: colours, clean axes, and writing a PNG."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.report.evaluation import Axis
from edgelstm.report.ticks import time_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 120
TRUTH, ANSWER, OTHER = "#333333", "#0b6fb8", "#d9822b"


def new_figure(width: float, height: float) -> Figure:
    """Create a figure; sizes in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def places(axes: Any, axis: Axis) -> NDArray[np.int64]:
    """Give the places of the points of an axis, and set calendar labels for time."""
    if axis.kind == "time":
        low, high = int(axis.at.min()), int(axis.at.max())
        ticks = time_ticks(low, max(high, low + 1))
        axes.set_xticks([low + tick.at / 100 * (high - low) for tick in ticks], [tick.text for tick in ticks])
    return axis.at


def fill_levels(axes: Any, x: NDArray[Any], answer: NDArray[np.floating[Any]]) -> None:
    """Fill between the lowest and the highest quantile, [n, L]; nothing for numbers."""
    if answer.shape[1] > 1:
        axes.fill_between(x, answer[:, 0], answer[:, -1], color=ANSWER, alpha=0.2, linewidth=0, label="quantiles")


def finish(axes: Any) -> None:
    """Remove clutter, and put the legend above."""
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        frameon=False,
        fontsize=9,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=4,
        borderaxespad=0.2,
        columnspacing=1,
        handlelength=1.4,
    )


def plain_text(text: str) -> str:
    """Keep matplotlib from reading a name as math."""
    return text.replace("$", r"\$")


def as_png(figure: Figure) -> bytes:
    """Write a figure as PNG; characters that the font lacks become boxes."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()
