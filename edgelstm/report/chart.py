"""Charts as plain data: paths in a stretchable box, and labels that stay text.

The box stretches to any width, its lines keep their thickness, and the labels around it are text of the page: one
chart is readable on a phone and on a desktop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array64
from edgelstm.report.evaluation import Floats
from edgelstm.report.ticks import X_TICKS, Y_TICKS, Tick, log_ticks, number_ticks, time_ticks

WIDTH, HEIGHT = 1000, 500  # of the box, in SVG units
MAX_POINTS = 600  # of a line; a longer line shows the lowest and highest point of each stretch
DENSE = 400  # lines with more points are thinner
MARGIN = 0.04  # of the height, above and below
MAX_MARGIN = 14  # largest length of a label on the left, in characters


Place = Callable[["Curve", Floats], tuple[Array64, Array64]]


class Curve(NamedTuple):
    """A curve to draw.

    Attributes:
        label: for the legend; empty for none.
        style: a CSS class of the page: `"truth"`, `"answer"`, `"baseline1"`...
        x: [n], ascending.
        y: [n], NaN where nothing is drawn.
        low: [n], the lower edge of an area up to y; None for a line.
        dots: draw points, not a line.
    """

    label: str
    style: str
    x: NDArray[np.generic]
    y: Floats
    low: Floats | None = None
    dots: bool = False


class Mark(NamedTuple):
    """One path of the drawing: SVG path data in a box of `WIDTH` by `HEIGHT`."""

    style: str
    kind: str
    path: str


class Chart(NamedTuple):
    """A drawing with its labels.

    Attributes:
        title, x_label, y_label: texts; empty for none.
        marks: the drawn paths, the first at the bottom.
        x_ticks, y_ticks: labels; those of y from the bottom.
        legend: style, kind and label of each curve with a label.
        at: position of a vertical line, in percent from the left; None for none.
    """

    title: str
    x_label: str
    y_label: str
    marks: tuple[Mark, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    legend: tuple[tuple[str, str, str], ...]
    at: float | None = None

    @property
    def margin(self) -> int:
        """The length of the longest label on the left, in characters."""
        return min(MAX_MARGIN, max((len(tick.text) for tick in self.y_ticks), default=1))

    @property
    def grid(self) -> str:
        """Path data of a grid line for each label on the left."""
        return "".join(f"M0 {_at(HEIGHT * (1 - tick.at / 100))}h{WIDTH}" for tick in self.y_ticks)

    @property
    def words(self) -> str:
        """A text that describes the chart, for screen readers."""
        curves = ", ".join(label for _, _, label in self.legend)
        return f"{self.title or self.y_label}: {curves or self.y_label} against {self.x_label}"


def draw(
    title: str,
    curves: Sequence[Curve],
    x_label: str = "",
    y_label: str = "",
    *,
    time: bool = False,
    log: bool = False,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    y_names: Sequence[str] = (),
    at: float | None = None,
) -> Chart:
    """Draw curves into one chart.

    Args:
        title: of the chart.
        x_label: of the x axis.
        y_label: of the y axis.
        curves: the first is drawn on top.
        time: x is seconds since 1970 UTC.
        log: logarithmic y axis; every y must be positive.
        x_range: range of x; None: that of the curves.
        y_range: range of y; None: that of the curves, with a margin.
        y_names: labels of y 0, 1, ... instead of numbers.
        at: the x of a vertical line.

    Example:
        >>> line = Curve("truth", "truth", np.arange(3), np.array([0.0, np.nan, 1.0]))
        >>> draw("", [line], y_range=(0, 1)).marks[0].path
        'M0 500h0M1000 0h0'
    """
    scale = np.log10 if log else np.asarray
    xs = np.concatenate([np.asarray(curve.x, np.float64) for curve in curves])
    x_low, x_high = x_range or _span(xs)
    ys = [scale(np.asarray(y, np.float64)) for curve in curves for y in (curve.y, curve.low) if y is not None]
    low, high = y_range or _padded(*_span(np.concatenate(ys)))

    def place(curve: Curve, y: Floats) -> tuple[Array64, Array64]:
        x = (np.asarray(curve.x, np.float64) - x_low) / (x_high - x_low) * WIDTH
        return x, (high - scale(np.asarray(y, np.float64))) / (high - low) * HEIGHT

    marks = tuple(_mark(curve, place) for curve in reversed(curves))
    whole = all(np.asarray(curve.x).dtype.kind == "i" for curve in curves)
    x_ticks = time_ticks(x_low, x_high) if time else number_ticks(x_low, x_high, X_TICKS, whole)
    if y_names:
        y_ticks = tuple(Tick(100 * (i - low) / (high - low), name) for i, name in enumerate(y_names))
    else:
        y_ticks = log_ticks(low, high) if log else number_ticks(low, high, Y_TICKS)
    across = None if at is None else round(100 * (at - x_low) / (x_high - x_low), 2)
    legend = tuple((curve.style, _kind(curve), curve.label) for curve in curves if curve.label)
    return Chart(title, x_label, y_label, marks, x_ticks, y_ticks, legend, across)


def number_text(value: float | None, digits: int = 4) -> str:
    """Write a number for people; a dash for none.

    Example:
        >>> [number_text(value) for value in (0.4853712, 0.4, 123456.7, 1.5e-7, 0.0, float("nan"))]
        ['0.4854', '0.4000', '123,457', '1.500e-07', '0', '-']
    """
    if value is None or not math.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    return f"{value:,.0f}" if 10**digits <= abs(value) < 1e9 else f"{value:#.{digits}g}".rstrip(".")


def _kind(curve: Curve) -> str:
    return "dots" if curve.dots else "line" if curve.low is None else "area"


def _mark(curve: Curve, place: Place) -> Mark:
    x, y = place(curve, curve.y)
    if curve.dots:
        return Mark(curve.style, "dots", "".join(f"M{_at(a)} {_at(b)}h0" for a, b in zip(x, y, strict=True) if b == b))
    if curve.low is None:
        kind = "line dense" if len(x) > DENSE else "line"
        return Mark(curve.style, kind, "".join(_path(*piece) for piece in _pieces(*_thin(x, y))))
    thin = _thin_area(x, y, place(curve, curve.low)[1])
    return Mark(curve.style, "area", "".join(_area(*piece) for piece in _pieces(*thin)))


def _pieces(x: Array64, *ys: Array64) -> list[tuple[Array64, ...]]:
    """Split into pieces at NaN."""
    known = ~np.isnan(np.stack(ys)).any(axis=0)
    cuts = np.flatnonzero(np.diff(known)) + 1
    pieces = zip(*(np.split(values, cuts) for values in (known, x, *ys)), strict=True)
    return [tuple(piece) for good, *piece in pieces if len(good) and good[0]]


def _path(x: Array64, y: Array64) -> str:
    points = [f"{_at(a)} {_at(b)}" for a, b in zip(x, y, strict=True)]
    return f"M{points[0]}h0" if len(points) == 1 else f"M{points[0]}L{' '.join(points[1:])}"


def _area(x: Array64, y: Array64, low: Array64) -> str:
    return _path(np.concatenate([x, x[::-1]]), np.concatenate([y, low[::-1]])) + "z"


def _at(value: float) -> str:
    text = f"{value:.1f}"
    return "0" if text in ("-0.0", "0.0") else text.removesuffix(".0")


def _thin(x: Array64, y: Array64) -> tuple[Array64, Array64]:
    """Keep the lowest and the highest point of each stretch of a long line."""
    if len(y) <= MAX_POINTS or np.isnan(y).all():
        return x, y
    kept = []
    for stretch in np.array_split(np.arange(len(y)), MAX_POINTS // 2):
        known = stretch[~np.isnan(y[stretch])]
        kept += sorted({int(known[y[known].argmin()]), int(known[y[known].argmax()])}) if len(known) else [stretch[0]]
    return x[kept], y[kept]


def _thin_area(x: Array64, top: Array64, bottom: Array64) -> tuple[Array64, Array64, Array64]:
    """Keep the outer edges of each stretch of a long area; y counts down from the top."""
    if len(x) <= MAX_POINTS:
        return x, top, bottom
    starts = np.linspace(0, len(x), MAX_POINTS // 2, endpoint=False).astype(np.int64)
    return x[starts], np.minimum.reduceat(top, starts), np.maximum.reduceat(bottom, starts)


def _span(values: Array64) -> tuple[float, float]:
    """Give the range of the values; with a margin around a single value, and some range for none."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    room = abs(low) * 0.01 or 0.5
    return (low, high) if high > low else (low - room, high + room)


def _padded(low: float, high: float) -> tuple[float, float]:
    room = MARGIN * (high - low)
    return low - room, high + room
