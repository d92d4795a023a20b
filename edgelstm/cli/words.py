"""Lay out results for people, and read shares that they give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgelstm.errors import InputError

if TYPE_CHECKING:
    from edgelstm.contract import Contract, Score


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table in plain text: the first column left-aligned, the others right-aligned.

    Example:
        >>> print(table(["file", "bytes"], [["co2.fp32.onnx", "78901"]]))
        file           bytes
        co2.fp32.onnx  78901
    """
    lines = [list(headers), *[list(row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headers))]
    laid = [
        [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
    return "\n".join("  ".join(line).rstrip() for line in laid)


def quantity(value: float, unit: str | None) -> str:
    """Write a number with three significant digits and its unit.

    Example:
        >>> quantity(0.47621, "ppm")
        '0.476 ppm'
    """
    return f"{value:.3g} {unit or ''}".rstrip()


def microseconds(value: float) -> str:
    """Write a duration in microseconds or milliseconds.

    Example:
        >>> microseconds(283.4), microseconds(28340.0)
        ('283 us', '28.3 ms')
    """
    return f"{value:.3g} us" if value < 1000 else f"{value / 1000:.3g} ms"


def fraction(option: str, text: str) -> float:
    """Parse a share given to an option.

    Raises:
        InputError: it is not a share.

    Example:
        >>> fraction("--max-metric-drop", "1%"), fraction("--max-metric-drop", "0.01")
        (0.01, 0.01)
    """
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise InputError(f"{option}: expected a share such as 1% or 0.01, got {text!r}")
    return value


def network_words(contract: Contract) -> str:
    """Say what computed the answers of the network: torch, or for an imported one our own float64 code."""
    return "network (torch)" if "torch" in contract.provenance.versions else "network (float64)"


def metric_words(contract: Contract) -> str:
    """Name the deciding figure, with its unit if there is one target.

    Example:
        >>> from edgelstm import load
        >>> metric_words(load("models/co2/co2.fp32.onnx").contract)
        'RMSE (ppm)'
    """
    from edgelstm.data.scores.figures import figures_of

    return figures_of(contract)[0].words


def figure_words(score: Score | None, metric: str) -> str:
    """Write a figure of a score; a dash if there is no score.

    Example:
        >>> figure_words({"rmse": 0.512345}, "rmse"), figure_words({"accuracy": 0.97946}, "accuracy")
        ('0.5123', '97.9 %')
    """
    from edgelstm.data.scores.figures import figure_text, known_figure

    return figure_text(known_figure(score, metric) if score else None, metric)
