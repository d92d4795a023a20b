"""What there is to learn from: windows of each part, and what is known about them."""

from __future__ import annotations

import numbers
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Channel
from edgelstm.data.baselines import season_of
from edgelstm.data.parts import NAMES, Cut, Part, fraction_borders, split
from edgelstm.data.readers.fields import parse_times
from edgelstm.data.readers.read import read_series
from edgelstm.data.series import Series, statistics
from edgelstm.data.windows import Rows, Windows, from_arrays
from edgelstm.errors import DataError, InputError
from edgelstm.train.recipe import Recipe


@dataclass(frozen=True)
class Problem:
    """Windows to train, choose and judge on.

    Attributes:
        name: of the run.
        inputs, outputs: the channels, with the statistics of the training part.
        training, validation, test: the windows; None where there is no such part.
        period_s: seconds between two samples; None without timestamps.
        season: samples in a season, for the seasonal baseline; None where there is none.
        test_time: datetime64[us], of each row of the test windows; None without timestamps.
        data_sha256: of the files that were read; None for arrays.
        report: what was found and done, in lines for people.
    """

    name: str
    inputs: tuple[Channel, ...]
    outputs: tuple[Channel, ...]
    training: Windows
    validation: Windows | None
    test: Windows | None
    period_s: float | None
    season: int | None
    test_time: NDArray[np.datetime64] | None
    data_sha256: str | None
    report: tuple[str, ...]

    @property
    def target_std(self) -> NDArray[np.float64]:
        """[O], the training standard deviation of each output; 1 where it is 0."""
        return np.array([channel.spread for channel in self.outputs])


def problem_from_recipe(recipe: Recipe) -> Problem:
    """Read the data of a recipe and cut it into windows.

    Raises:
        DataError: the data cannot be read, or is too short.
    """
    data, every_step = recipe.data, recipe.network.state == "carried"
    series, file_ends = _read(recipe)
    window = recipe.window
    cut = Cut(window.steps, window.horizon, window.stride, every_step, recipe.split.overlap, data.missing)
    borders = file_ends or _borders(recipe, series)
    parts = {part.name: part for part in split(series, data.inputs, data.targets, borders, cut)}
    training, test = parts["training"], parts.get("test")
    season = data.season or season_of(series.period_s)
    report = _report(series, data.missing, list(parts.values()))
    if season is not None and season >= window.steps:
        report = (*report, f"no seasonal naive: a season of {season} samples takes a window of {season + 1}")
        season = None
    return Problem(
        name=recipe.name,
        inputs=_channels(data.inputs, series.columns(data.inputs)[training.start : training.end], data.units),
        outputs=_channels(data.targets, series.columns(data.targets)[training.start : training.end], data.units),
        training=training.windows,
        validation=parts["validation"].windows if "validation" in parts else None,
        test=test.windows if test else None,
        period_s=series.period_s,
        season=season,
        test_time=series.time[test.first_row : test.end] if test and series.time is not None else None,
        data_sha256=series.sha256,
        report=report,
    )


def problem_from_arrays(
    x: Any,
    y: Any,
    validation: Any,
    test: Any,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    every_step: bool,
    name: str,
) -> Problem:
    """Check a caller's own arrays; see `edgelstm.train.fit`.

    Raises:
        InputError: shapes that do not fit, or numbers that are not finite.
    """
    x, y = _checked_pair("x, y", x, y, every_step)
    inputs = inputs or tuple(f"x{i}" for i in range(x.shape[-1]))
    outputs = outputs or tuple(f"y{i}" for i in range(y.shape[-1]))
    for what, names, size in (("inputs", inputs, x.shape[-1]), ("outputs", outputs, y.shape[-1])):
        if len(names) != size or len(set(names)) != size:
            raise InputError(f"{what}: expected {size} different name(s), one for each channel, got {names}")
    if isinstance(validation, numbers.Real) and not isinstance(validation, numbers.Integral):
        (x, y), validation = _take_last(x, y, float(validation))
    known = all(name in inputs for name in outputs)
    target_inputs = tuple(inputs.index(name) for name in outputs) if known else ()
    windows = {"training": from_arrays(x, y, target_inputs)}
    for part, pair in (("validation", validation), ("test", test)):
        if pair is not None:
            windows[part] = from_arrays(*_checked_like(part, pair, x, y, every_step), target_inputs)
    training = windows["training"]
    return Problem(
        name,
        _channels(inputs, training.x_rows, {}),
        _channels(outputs, training.y_rows, {}),
        training,
        windows.get("validation"),
        windows.get("test"),
        None,
        None,
        None,
        None,
        (),
    )


def _read(recipe: Recipe) -> tuple[Series, tuple[int, ...]]:
    """Read the table, or the tables of the parts laid end to end with the rows at which each ends."""
    data, split_by = recipe.data, recipe.split
    columns = (*data.inputs, *data.targets)
    series = read_series(data.path, columns, data.time, data.resample)
    if not (split_by.validation_path or split_by.test_path):
        return series, ()
    ends = [len(series.values)]
    for path in (split_by.validation_path, split_by.test_path):
        if path:
            series = _append(series, read_series(path, columns, data.time, data.resample), split_by.overlap)
        ends.append(len(series.values))
    return series, tuple(ends)


def _append(first: Series, second: Series, overlap: bool) -> Series:
    """Lay two files end to end; windows may only reach across if time goes on there."""
    time = None
    if first.period_s and second.period_s and first.period_s != second.period_s:
        raise DataError(
            f"expected files with one sample every {first.period_s:g} s as in training, got one every "
            f"{second.period_s:g} s: give --resample"
        )
    if second.sha256 in (first.sha256 or "").split("+"):
        raise DataError("split: the same file is given for two parts; held-out data must be other data")
    if first.time is not None and second.time is not None and second.time[0] <= first.time[-1]:
        raise DataError(
            f"split: expected the files in the order of time, but one begins at {second.time[0]}, when the one before "
            f"it has not ended ({first.time[-1]})"
        )
    if first.time is not None and second.time is not None:
        step_s = (second.time[0] - first.time[-1]) / np.timedelta64(1, "s")
        if overlap and step_s != first.period_s:
            raise DataError(
                f"overlap: expected the next file to go on {first.period_s:g} s after the one before, but "
                f"{step_s:g} s lie between them: leave out overlap"
            )
        time = np.concatenate([first.time, second.time])
    return replace(
        first,
        values=np.concatenate([first.values, second.values]),
        time=time,
        sha256=f"{first.sha256}+{second.sha256}",
    )


def _borders(recipe: Recipe, series: Series) -> tuple[int, ...]:
    by = recipe.split
    if not by.borders:
        return fraction_borders(len(series.values), by.training, by.validation, by.test)
    borders = tuple(border if isinstance(border, int) else _row_at(border, series) for border in by.borders)
    if list(borders) != sorted(borders) or borders[0] < 1 or borders[-1] > len(series.values):
        raise DataError(
            f"split: expected borders that grow within the {len(series.values)} rows, got "
            f"{', '.join(map(str, by.borders))} (rows {', '.join(map(str, borders))})"
        )
    return borders


def _row_at(border: str, series: Series) -> int:
    """Find the first row at or after a date."""
    if series.time is None:
        raise DataError(f"split: the border {border!r} is a date, but there is no column of timestamps: give --time")
    try:
        moment = parse_times([border], "border", lambda row: "split")[0]
    except DataError as error:
        raise DataError(f"split: expected a row number or an ISO 8601 date as a border, got {border!r}") from error
    if not series.time[0] < moment <= series.time[-1]:
        raise DataError(
            f"split: expected a border between {series.time[0]} and {series.time[-1]}, where the data lies, "
            f"got {border!r}"
        )
    return int(np.searchsorted(series.time, moment))


def _channels(names: tuple[str, ...], rows: NDArray[np.floating], units: dict[str, str]) -> tuple[Channel, ...]:
    return tuple(Channel(name, units.get(name), "float32", statistics(rows[:, i])) for i, name in enumerate(names))


def _report(series: Series, policy: str, parts: list[Part]) -> tuple[str, ...]:
    lines = [f"{len(series.values)} rows" + (f", one every {series.period_s:g} s" if series.period_s else "")]
    for column, name in enumerate(series.names):
        missing = int(np.isnan(series.values[:, column]).sum())
        if missing:
            lines.append(f"{name}: {missing} missing sample(s), policy {policy!r}")
    for part in parts:
        lines.append(f"{part.name}: rows {part.start + 1} to {part.end}, {len(part.windows)} windows")
    absent = [name for name in NAMES if name not in [part.name for part in parts]]
    if absent:
        lines.append(f"no {' and no '.join(absent)} part")
    if parts[-1].end < len(series.values):
        lines.append(f"not used: rows {parts[-1].end + 1} to {len(series.values)}")
    return tuple(lines)


def _checked_pair(what: str, x: Any, y: Any, every_step: bool) -> tuple[Rows, Rows]:
    x, y = _finite(what, x), _finite(what, y)
    steps = "T, " if every_step else ""
    if y.ndim == 2 + every_step:
        y = y[..., np.newaxis, :]
    if x.ndim != 3 or y.ndim != 3 + every_step or len(x) != len(y) or 0 in x.shape or 0 in y.shape:
        raise InputError(
            f"{what}: expected x [N, T, F] and y [N, {steps}K, O] or [N, {steps}O] with the same N, "
            f"got {x.shape} and {y.shape}"
        )
    if every_step and x.shape[1] != y.shape[1]:
        raise InputError(f"{what}: expected a target at each of {x.shape[1]} steps, got {y.shape[1]}")
    return x, y


def _checked_like(part: str, pair: Any, x: Rows, y: Rows, every_step: bool) -> tuple[Rows, Rows]:
    """Check a held-out pair: finite, and windows of the shape of the training windows."""
    try:
        part_x, part_y = pair
    except (TypeError, ValueError) as error:
        raise InputError(f"{part}: expected a pair (x, y), got {type(pair).__name__}") from error
    part_x, part_y = _checked_pair(part, part_x, part_y, every_step)
    if part_x.shape[1:] != x.shape[1:] or part_y.shape[1:] != y.shape[1:]:
        got = f"{part_x.shape[1:]} and {part_y.shape[1:]}"
        raise InputError(f"{part}: expected windows like x {x.shape[1:]} and y {y.shape[1:]}, got {got}")
    return part_x, part_y


def _finite(what: str, values: Any) -> Rows:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiu":
            raise ValueError(f"dtype {array.dtype}")
    except ValueError as error:
        raise InputError(f"{what}: expected a rectangular array of numbers, got {error}") from error
    with np.errstate(over="ignore", invalid="ignore"):  # what is no finite float32 is refused right after
        array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        raise InputError(f"{what}: expected finite numbers, got NaN or infinity; fill or leave out missing samples")
    return array


def _take_last(x: Rows, y: Rows, fraction: float) -> tuple[Any, Any]:
    """Split off the last windows for validation: the newest, if they are in the order of time."""
    count = round(len(x) * fraction) if 0 < fraction < 1 else 0
    if not 1 <= count < len(x):
        raise InputError(f"validation: a fraction of {fraction} of {len(x)} windows leaves one part empty")
    return (x[:-count], y[:-count]), (x[-count:], y[-count:])
