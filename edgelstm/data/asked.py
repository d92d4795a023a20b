"""Read the columns that a network needs from a table, in the way its training table was read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from edgelstm.contract import Channel
from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.sources import read_source
from edgelstm.data.series import Series
from edgelstm.errors import DataError, InputError
from edgelstm.reading import GAPS, Reading

_SAME_PERIOD = 1e-6  # of the period


class Takes(Protocol):
    """What says which table is needed: a contract, or a network that is being imported."""

    @property
    def inputs(self) -> tuple[Channel, ...]:
        """The channels that are read."""

    @property
    def sample_period_s(self) -> float | None:
        """Seconds between two samples; None if unknown."""

    @property
    def reading(self) -> Reading | None:
        """How the training table was read; None if unknown."""


class Reread(NamedTuple):
    """A table, read for a network.

    Attributes:
        series: at least one; their channels are the inputs in their order, then the targets that are not inputs.
        reading: how it was read.
        notes: what was detected and done, in lines for people.
    """

    series: tuple[Series, ...]
    reading: Reading
    notes: tuple[str, ...]


def names_of(channels: Sequence[Channel]) -> tuple[str, ...]:
    """Give the names that channels have in a series that was read; a category is named after its column and its word.

    Example:
        >>> wind = Channel("from NW", None, "float32", None, column="wind", category="NW")
        >>> names_of([Channel("pm2.5", None, "float32", None), wind])
        ('pm2.5', 'wind=NW')
    """
    return tuple(f"{c.source}={c.category}" if c.category is not None else c.source for c in channels)


def categories_of(channels: Sequence[Channel]) -> dict[str, tuple[str, ...]]:
    """Give the words of each text column that occurred in training.

    Example:
        >>> north, south = (Channel(word, None, "float32", None, column="wind", category=word) for word in ("N", "S"))
        >>> categories_of([north, south])
        {'wind': ('N', 'S')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for channel in channels:
        if channel.category is not None:
            found[channel.source] = (*found.get(channel.source, ()), channel.category)
    return found


def policy_of(takes: Takes, asked: str | None) -> str:
    """Choose the policy for gaps: the one asked for, else that of training, else a gap is an error.

    Raises:
        InputError: an unknown policy.
    """
    policy = asked or (takes.reading.gaps if takes.reading else "error")
    if policy not in GAPS:
        raise InputError(f"--missing: expected one of {', '.join(GAPS)}, got {policy!r}")
    return policy


def asking_for(takes: Takes, given: Mapping[str, Any], targets: Sequence[str] = (), label: str | None = None) -> Asking:
    """Ask for the inputs of a network, and for the truth to compare its answers with.

    Args:
        takes: says what is needed, and how the training table was read.
        given: fields of `Asking` that were asked for; they override those of training.
        targets: further columns of numbers.
        label: the column of classes.
    """
    reading, categories = takes.reading, categories_of(takes.inputs)
    sources = tuple(dict.fromkeys(channel.source for channel in takes.inputs))
    targets = tuple(dict.fromkeys([*(name for name in sources if name not in categories), *targets]))
    about = {key: value for key, value in given.items() if value not in (None, (), [])}
    about = {**({} if reading is None else _as_trained(reading)), **about}
    for key in ("time", "na"):
        about[key] = _several(about.get(key, ()))
    if reading is not None:
        reading = reading._replace(**{key: about[key] for key in ("duplicates", "gaps", "max_gap")})
    columns = tuple(dict.fromkeys([*sources, *targets]))
    return Asking(
        columns=columns,
        targets=targets,
        label=label,
        categories=categories,
        measured=_measured(takes.inputs),
        like=reading,
        **about,
    )


def read_for(
    takes: Takes,
    source: str | Path | IO[Any],
    given: Mapping[str, Any],
    targets: Sequence[str] = (),
    label: str | None = None,
) -> Reread:
    """Read a table for a network: the training table, or the next one of the same logger, needs no option.

    Args:
        takes: as for `asking_for`.
        source: as for `edgelstm.data.readers.sources.read_source`.
        given: as for `asking_for`.
        targets: as for `asking_for`.
        label: as for `asking_for`.

    Raises:
        DataError: the table cannot be read, or differs from that of training; says how.
        InputError: the network needs times, and there is no timestamp column.
    """
    asking = asking_for(takes, given, targets, label)
    if getattr(takes, "times", False) and not asking.time:
        raise InputError("this file needs the time of each sample: name the timestamp column with --time")
    found = read_source(source, asking)
    _check_period(takes, found.series[0])
    names = tuple(dict.fromkeys([*names_of(takes.inputs), *targets]))
    series = tuple(replace(one, names=names, values=one.columns(names)) for one in found.series)
    reading = found.reading._replace(gaps=asking.gaps, max_gap=asking.max_gap)
    return Reread(series, reading, found.notes)


def _measured(channels: Sequence[Channel]) -> frozenset[str]:
    """The columns with numbers other than 1 and 0, which are the values of yes and no."""
    known = [(channel.source, channel.statistics) for channel in channels if channel.category is None]
    return frozenset(name for name, seen in known if seen and not {seen.min, seen.max} <= {0.0, 1.0})


def _as_trained(reading: Reading) -> dict[str, Any]:
    """The fields of `Asking` whose default would not say "as in training"."""
    return {
        "time": () if reading.time is None else reading.time.columns,
        "series": reading.series,
        "na": reading.missing,
        "resample": reading.resample,
        "duplicates": reading.duplicates,
        "gaps": reading.gaps,
        "max_gap": reading.max_gap,
    }


def _several(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _check_period(takes: Takes, series: Series) -> None:
    """See that the sampling period is that of training, for networks without a recorded reading."""
    expected, found = takes.sample_period_s, series.period_s
    if expected and found and takes.reading is None and not math.isclose(found, expected, rel_tol=_SAME_PERIOD):
        raise DataError(
            f"the network was trained on a sample every {expected:g} s, but the table has one every {found:g} s; "
            "give --resample"
        )
