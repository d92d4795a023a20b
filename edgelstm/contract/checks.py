"""What must hold between the fields of a contract."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edgelstm.contract.parts import (
    ANSWERS,
    CLIPS,
    FORMAT_VERSION,
    HEADS,
    PRECISIONS,
    QUANTILE_LEVELS,
    SCALINGS,
    STATES,
    TASKS,
    Channel,
    StateTensor,
)
from edgelstm.contract.traits import has_integers
from edgelstm.errors import ContractError, either
from edgelstm.reading import DUPLICATES, ENCODINGS, GAPS, UNITS, Dialect, Reading, Rhythm

if TYPE_CHECKING:
    from edgelstm.contract.contract import Contract

_SAME_PERIOD = 1e-9  # of the period: the mean length of a month is computed, and so rounded


def check_contract(contract: Contract) -> None:
    """See that the fields of a contract do not contradict each other.

    Raises:
        ContractError: they contradict each other.
    """
    _check_words(contract)
    _check_shape(contract)
    _check_quantization(contract)
    _check_channels(contract.inputs, contract.outputs)
    _check_categories(contract.inputs, contract.outputs)
    _check_origins(contract)
    _check_answer(contract)
    _check_states(contract.states)
    _require(contract.traits.has_horizon or not contract.many_series, "many_series is for forecasts only")
    if contract.reading is not None:
        _check_reading(contract.reading)
        _check_reading_fits(contract, contract.reading)


def _check_words(contract: Contract) -> None:
    _one_of("task", contract.task, TASKS)
    _one_of("precision", contract.precision, PRECISIONS)
    _one_of("state", contract.state, STATES)
    _one_of("trained_state", contract.trained_state, STATES)
    _one_of("scaling", contract.scaling, SCALINGS)
    _one_of("answer", contract.answer, ANSWERS)
    version = contract.format_version
    _require(1 <= version <= FORMAT_VERSION, f"format_version {version} is unknown")


def _check_shape(contract: Contract) -> None:
    """See that window, horizon, state and answers fit the task."""
    traits, states = contract.traits, contract.states
    _require(contract.window >= 1 and contract.horizon >= 1, "window and horizon must be at least 1")
    _require(bool(contract.inputs) and bool(contract.outputs), "there must be at least one input and one output")
    period = contract.sample_period_s
    _require(period is None or period > 0, "sample_period_s must be positive or null")
    _require(
        bool(states) == (contract.state == "carried"),
        f"state is {contract.state!r}, but {len(states)} state tensors are listed",
    )
    _require(contract.trained_state == "window" or bool(states), "trained_state is 'carried', but there is no state")
    _require(not (states and contract.lengths), "a carried file is stepped and takes no lengths")
    _require(traits.has_horizon or contract.horizon == 1, f"the task {contract.task} needs a horizon of 1")
    subject = "a forecast" if traits.has_horizon else f"the task {contract.task}"
    _require(contract.answer in traits.answers, f"{subject} needs the answer {either(map(repr, traits.answers))}")


def _check_quantization(contract: Contract) -> None:
    quantization = contract.quantization
    _require(
        (quantization is not None) == (has_integers(contract.precision)),
        f"precision {contract.precision} and quantization {quantization} contradict each other",
    )
    if quantization is not None:
        _one_of("quantization.clip", quantization.clip, CLIPS)
        _one_of("quantization.head", quantization.head, HEADS)
        _one_of("quantization.highway", quantization.highway, HEADS)


def _check_channels(inputs: tuple[Channel, ...], outputs: tuple[Channel, ...]) -> None:
    tokens = len(inputs) == 1 and inputs[0].dtype == "int64"
    for place, channel in enumerate(inputs + outputs):
        expected = "int64" if tokens and place == 0 else "float32"
        _require(
            channel.dtype == expected, f"channel {channel.name!r} has dtype {channel.dtype!r}, expected {expected!r}"
        )
        known = channel.categories is not None and channel.categories >= 1
        _require(
            known if expected == "int64" else channel.categories is None,
            f"channel {channel.name!r} has {channel.categories} categories",
        )
        _require(channel.ahead >= 0, f"channel {channel.name!r} is {channel.ahead} steps ahead")
        if channel.statistics is not None:
            count = len(channel.statistics.quantiles)
            _require(
                count == len(QUANTILE_LEVELS),
                f"channel {channel.name!r} has {count} quantiles in its statistics, expected {len(QUANTILE_LEVELS)}",
            )


def _check_categories(inputs: tuple[Channel, ...], outputs: tuple[Channel, ...]) -> None:
    """See that the categories of a column are adjacent, differ, and are known equally far ahead."""
    _require(all(channel.category is None for channel in outputs), "an output cannot be a category")
    columns: dict[str, list[Channel]] = {}
    for channel in inputs:
        if channel.category is not None:
            _require(bool(channel.column), f"channel {channel.name!r} is a category without a column")
            _require(bool(channel.category), f"channel {channel.name!r} is a category of the empty word")
            _require(channel.dtype == "float32", f"channel {channel.name!r} is both a category and a token")
            columns.setdefault(channel.source, []).append(channel)
    for column, channels in columns.items():
        first = inputs.index(channels[0])
        together = list(inputs[first : first + len(channels)]) == channels
        _require(together, f"the categories of {column!r} are not adjacent")
        alone = all(channel.category is not None for channel in inputs if channel.source == column)
        _require(alone, f"column {column!r} is read both as numbers and as categories")
        words = {channel.category for channel in channels}
        _require(len(words) == len(channels), f"a category of {column!r} occurs twice")
        _require(
            len({channel.ahead for channel in channels}) == 1,
            f"the categories of {column!r} are not equally far ahead",
        )


def _check_origins(contract: Contract) -> None:
    for channel in contract.inputs + contract.outputs:
        _require(math.isfinite(channel.origin), f"channel {channel.name!r} has the origin {channel.origin}")
        number = channel.dtype == "float32" and channel.category is None
        _require(number or not channel.origin, f"channel {channel.name!r} has an origin, but is not a measurement")
    plain = all(not c.origin or (contract.answer != "class" and c.cap is None) for c in contract.outputs)
    _require(plain, "an output that is a class or has a cap cannot have an origin")


def _check_answer(contract: Contract) -> None:
    """See that quantiles are ascending, between 0 and 1, the same for every target, and only where they belong."""
    outputs, inputs = contract.outputs, contract.inputs
    _require(all(c.quantile is None and c.cap is None for c in inputs), "an input cannot have a quantile or a cap")
    _require(all(c.ahead == 0 for c in outputs), "an output cannot be known ahead")
    _require(not contract.times or inputs[0].dtype == "float32", "tokens have no times")
    levels: dict[str, list[float | None]] = {}
    for channel in outputs:
        levels.setdefault(channel.source, []).append(channel.quantile)
    if contract.answer != "quantile":
        _require(all(c.quantile is None for c in outputs), f"the answer {contract.answer!r} cannot have quantiles")
        return
    first = next(iter(levels.values()))
    known = [level for level in first if level is not None and 0 < level < 1]
    ascending = len(known) == len(first) and known == sorted(set(known))
    _require(ascending, f"the quantiles are {first}, expected ascending numbers between 0 and 1")
    _require(all(found == first for found in levels.values()), "the targets have different quantiles")
    order = [name for name in levels for _ in first]
    _require([c.source for c in outputs] == order, "the quantiles of a target are not adjacent")


def _check_states(states: tuple[StateTensor, ...]) -> None:
    for state in states:
        sizes = [size for size in state.shape if size != "B"]
        whole = all(isinstance(size, int) and 1 <= size <= 2**20 for size in sizes)
        _require(whole and state.shape.count("B") == 1, f"state {state.input!r} has the shape {state.shape}")
        _require(state.dtype == "float32", f"state {state.input!r} has dtype {state.dtype!r}, expected 'float32'")


def _check_reading(reading: Reading) -> None:
    _require(bool(reading.format), "reading.format is empty")
    _one_of("reading.duplicates", reading.duplicates, DUPLICATES)
    _one_of("reading.gaps", reading.gaps, GAPS)
    _require(reading.max_gap is None or reading.max_gap >= 0, f"reading.max_gap is {reading.max_gap}")
    if reading.dialect is not None:
        _check_dialect(reading.dialect)
    if reading.rhythm is not None:
        _check_rhythm(reading.rhythm)
    time = reading.time
    if time is None:
        _require(reading.rhythm is None and reading.resample is None, "reading has a rhythm, but no time")
        return
    _require(bool(time.columns), "reading.time.columns is empty")
    _require(len(set(time.columns)) == len(time.columns), f"reading.time.columns are {list(time.columns)}")
    _require(bool(time.form), "reading.time.form is empty")
    _require(time.zone is None or bool(time.zone), "reading.time.zone is empty")
    _require(reading.series not in time.columns, f"reading.series is {reading.series!r}, which is a time column")


def _check_dialect(dialect: Dialect) -> None:
    delimiter = dialect.delimiter
    usable = len(delimiter) == 1 and not delimiter.isalnum() and delimiter not in '"\r\n'
    _require(usable, f"reading.dialect.delimiter is {delimiter!r}")
    _check_signs(dialect.decimal, dialect.thousands)
    _one_of("reading.dialect.encoding", dialect.encoding, ENCODINGS)
    _require(dialect.skip_rows >= 0, f"reading.dialect.skip_rows is {dialect.skip_rows}")


def _check_signs(decimal: str, thousands: str) -> None:
    """See that each sign has one meaning; with a point or comma between thousands, the other one is for decimals."""
    _one_of("reading.dialect.decimal", decimal, (".", ",", ""))
    apart = not thousands or (len(thousands) == 1 and thousands != decimal and not thousands.isalnum())
    told = bool(decimal) or thousands not in (".", ",")
    _require(apart and told, f"reading.dialect.thousands is {thousands!r}, while decimal is {decimal!r}")


def _check_rhythm(rhythm: Rhythm) -> None:
    _one_of("reading.rhythm.unit", rhythm.unit, tuple(UNITS))
    positive = math.isfinite(rhythm.count) and rhythm.count > 0
    whole = positive and (rhythm.unit == "second" or rhythm.count == int(rhythm.count))
    _require(whole, f"reading.rhythm.count is {rhythm.count} {rhythm.unit}s")
    _require(
        (rhythm.day is not None) == (rhythm.unit == "month"), "reading.rhythm.day is for months, and only for them"
    )
    _require(rhythm.day is None or 1 <= rhythm.day <= 31, f"reading.rhythm.day is {rhythm.day}")


def _check_reading_fits(contract: Contract, reading: Reading) -> None:
    """See that the rest of a contract says the same about time as its reading."""
    period, rhythm = contract.sample_period_s, reading.rhythm
    _require(
        (period is None) == (rhythm is None),
        f"sample_period_s is {period}, but reading.rhythm is {rhythm and rhythm.name}",
    )
    if period is not None and rhythm is not None:
        same = math.isclose(period, rhythm.period_s, rel_tol=_SAME_PERIOD)
        _require(same, f"sample_period_s is {period:g}, but one {rhythm.name} of reading is {rhythm.period_s:g} s")
    _require(not contract.times or reading.time is not None, "the file needs times, but reading has no time")


def _one_of(key: str, value: str, known: tuple[str, ...]) -> None:
    _require(value in known, f"{key} is {value!r}, expected one of {', '.join(known)}")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ContractError(f"contract: {message}")
