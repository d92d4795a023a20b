"""From a table to examples to evaluate a file on: by its contract, from first row to last."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, NamedTuple

from edgelstm.contract import Contract
from edgelstm.data.asked import Reread, names_of, policy_of, read_for
from edgelstm.data.deal import Wanted, sequences_of, whole
from edgelstm.data.examples import Examples
from edgelstm.data.origins import like_channels
from edgelstm.data.parts import Cut, held_out, held_out_each
from edgelstm.data.series import Series
from edgelstm.errors import InputError
from edgelstm.reading import Reading

PART = "data"


class Judged(NamedTuple):
    """The examples of a table, to evaluate a file.

    Attributes:
        examples: with their truth.
        sha256: of the table; None for a pipe.
        report: notes on the table, one line each.
        reading: how it was read.
        period_s: seconds between two rows; None without times.
        series: the number of series.
    """

    examples: Examples
    sha256: str | None
    report: tuple[str, ...]
    reading: Reading
    period_s: float | None
    series: int


def read_examples(source: str | Path | IO[Any], contract: Contract, label: str | None = None, **given: Any) -> Judged:
    """Read inputs and truth from a table, as in training.

    Args:
        source: as for `edgelstm.data.readers.read.read`.
        contract: names the columns, how to read them, and the task.
        label: the column of the classes; None for that of the contract.
        **given: fields of `edgelstm.data.readers.asking.Asking`; they override the reading of training. The default
            of `gaps` is `"error"` if neither sets it.

    Returns:
        Windows for a forecast, sequences for the other tasks; minus the origins of the channels.

    Raises:
        DataError: the table cannot be read, lacks a column, is too short or too coarse, has classes unknown to the
            training, or no truth.
        InputError: an option does not apply to this file, or its contract does not name its classes.

    Example:
        >>> from edgelstm import load
        >>> contract = load("models/co2/co2.fp32.onnx").contract
        >>> len(read_examples("builtin:co2", contract, time="date", gaps="interpolate").examples)
        1991
    """
    gaps = policy_of(contract, given.get("gaps"))
    _check(contract, label)
    column = (label or contract.outputs[0].column) if contract.answer == "class" else None
    targets = () if contract.answer == "class" else tuple(channel.source for channel in contract.targets)
    found = read_for(contract, source, {**given, "gaps": gaps}, targets, column)
    channels = (*contract.inputs, *contract.outputs)
    series = tuple(like_channels(one, channels) for one in found.series)
    if contract.traits.has_horizon:
        return _judged(*_windows(series, contract, targets, found, gaps), found)
    classes = tuple(channel.name for channel in contract.outputs) if contract.answer == "class" else ()
    wanted = Wanted(
        inputs=names_of(contract.inputs),
        targets=targets,
        classes=classes,
        every_step=contract.traits.every_step,
        missing=gaps,
        steps=contract.window if contract.traits.whole_series else None,
        times=series[0].time is not None,
        max_gap=found.reading.max_gap,
        categories=_categories(contract),
    )
    examples, report = sequences_of(whole(series), wanted, PART)
    return _judged(examples, report, found)


def _judged(examples: Examples, report: tuple[str, ...], found: Reread) -> Judged:
    first, count = found.series[0], len(found.series)
    return Judged(examples, first.sha256, (*found.notes, *report), found.reading, first.period_s, count)


def _windows(
    series: tuple[Series, ...], contract: Contract, targets: tuple[str, ...], found: Reread, gaps: str
) -> tuple[Examples, tuple[str, ...]]:
    """Cut windows; windows of many series follow each other, each measured by the spread of its series."""
    inputs = names_of(contract.inputs)
    cut = Cut(
        contract.window,
        contract.horizon,
        1,
        False,
        gaps,
        ahead=names_of([channel for channel in contract.inputs if channel.ahead]),
        times=series[0].time is not None,
        max_gap=found.reading.max_gap,
        categories=_categories(contract),
    )
    many = contract.many_series or len(series) > 1
    windows = held_out_each(series, inputs, targets, PART, cut).windows if many else None
    if windows is None:
        windows = held_out(series[0], inputs, targets, PART, cut)
    rows = sum(len(one.values) for one in series)
    count = f"{len(series)} series, " if many else ""
    return windows, (f"{PART}: {count}{rows} rows, {len(windows)} windows",)


def _categories(contract: Contract) -> tuple[str, ...]:
    return names_of([channel for channel in contract.inputs if channel.category is not None])


def _check(contract: Contract, label: str | None) -> None:
    """Check that a table can hold the truth for this file, and that the options apply."""
    if contract.tokens:
        raise InputError("expected a file with measurements as inputs, this one takes tokens, which no table holds")
    if any(channel.ahead not in (0, contract.horizon) for channel in contract.inputs):
        raise InputError("expected inputs that are known for the whole horizon of the forecast")
    if contract.answer != "class" and label is not None:
        raise InputError("--label needs a file that answers with classes; this one answers with numbers")
    if contract.answer == "class" and len(contract.outputs) == 1:
        raise InputError("expected a file with one output for each class; this one gives a single probability")
    if contract.answer == "class" and label is None and contract.outputs[0].column is None:
        raise InputError("this file does not name the column of its classes: give --label")
