"""From a table to examples that a file can be evaluated on: as its contract says, from the first row to the last."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, TextIO

from edgelstm.contract import Contract
from edgelstm.data.deal import Wanted, sequences_of, whole
from edgelstm.data.gaps import POLICIES
from edgelstm.data.origins import like_channels
from edgelstm.data.parts import Cut, held_out
from edgelstm.data.readers.read import read_many
from edgelstm.data.scores.score import Examples
from edgelstm.data.series import Series
from edgelstm.errors import DataError, InputError

PART = "data"


class Found(NamedTuple):
    """What a table holds for a file.

    Attributes:
        examples: with their truth.
        sha256: of the table; None for what came through a pipe.
        report: what was found, in lines for people.
    """

    examples: Examples
    sha256: str | None
    report: tuple[str, ...]


def read_examples(
    source: str | Path | TextIO,
    contract: Contract,
    *,
    time: str | None = None,
    series: str | None = None,
    label: str | None = None,
    missing: str = "error",
    kind: str | None = None,
) -> Found:
    """Read inputs and truth from a table.

    Args:
        source: as for `edgelstm.data.readers.read.read_series`.
        contract: says which columns are needed, and what is made of them.
        time: column of timestamps.
        series: the column that tells series apart.
        label: the column of classes; None for the one that the contract names.
        missing: a policy of `edgelstm.data.gaps`.
        kind: the format, if the ending of the file does not tell.

    Returns:
        Windows of a forecast, sequences for the other tasks; minus the origins of the channels.

    Raises:
        DataError: the table cannot be read, lacks a column, is too short or too coarse, has classes that training did
            not know, or no truth.
        InputError: an option has no meaning for this file, or its contract does not say what its classes are.

    Example:
        >>> from edgelstm import load
        >>> contract = load("models/co2/co2.fp32.onnx").contract
        >>> len(read_examples("builtin:co2", contract, time="date", missing="interpolate").examples)
        1991
    """
    _check(contract, series, label, missing)
    column = (label or contract.outputs[0].column) if contract.answer == "class" else None
    inputs = tuple(channel.source for channel in contract.inputs)
    targets = () if contract.answer == "class" else tuple(channel.source for channel in contract.targets)
    found = read_many(source, (*inputs, *targets), time, series=series, label=column, kind=kind)
    _check_period(found[0], contract)
    found = tuple(like_channels(one, (*contract.inputs, *contract.outputs)) for one in found)
    if contract.task == "forecast":
        return _windows(found, contract, inputs, targets, missing)
    steps = contract.window if contract.task == "classify" else None
    classes = tuple(channel.name for channel in contract.outputs) if contract.answer == "class" else ()
    wanted = Wanted(inputs, targets, classes, contract.task == "label", missing, steps, found[0].time is not None)
    examples, report = sequences_of(whole(found), wanted, PART)
    return Found(examples, found[0].sha256, report)


def _windows(
    found: tuple[Series, ...], contract: Contract, inputs: tuple[str, ...], targets: tuple[str, ...], missing: str
) -> Found:
    if len(found) > 1:
        raise DataError(f"expected one series to forecast, the table holds {len(found)}")
    series, ahead = found[0], tuple(channel.source for channel in contract.inputs if channel.ahead)
    timed = series.time is not None
    cut = Cut(contract.window, contract.horizon, 1, False, missing, ahead=ahead, times=timed)
    windows = held_out(series, inputs, targets, PART, cut)
    return Found(windows, series.sha256, (f"{PART}: {len(series.values)} rows, {len(windows)} windows",))


def _check(contract: Contract, series: str | None, label: str | None, missing: str) -> None:
    """See that a table can hold the truth for this file, and that the options mean something."""
    if missing not in POLICIES:
        raise InputError(f"--missing: expected one of {', '.join(POLICIES)}, got {missing!r}")
    if contract.tokens:
        raise InputError("expected a file that takes measurements, this one takes tokens, which no table holds")
    if contract.task == "forecast" and series is not None:
        raise InputError("--series: means nothing to a file that forecasts; give a table of one series")
    if any(channel.ahead not in (0, contract.horizon) for channel in contract.inputs):
        raise InputError("expected inputs that are known as far ahead as the forecast goes")
    if contract.answer != "class" and label is not None:
        raise InputError("--label: means nothing to a file that answers with numbers")
    if contract.answer == "class" and len(contract.outputs) == 1:
        raise InputError("expected a file with an output for each class, this one answers with one probability")
    if contract.answer == "class" and label is None and contract.outputs[0].column is None:
        raise InputError("this file does not say which column holds its classes: give --label")


def _check_period(series: Series, contract: Contract) -> None:
    if series.period_s and contract.sample_period_s and series.period_s != contract.sample_period_s:
        raise DataError(
            f"the network was trained on one sample every {contract.sample_period_s:g} s, but the table has one every "
            f"{series.period_s:g} s; resample it first"
        )
