"""Ticks of an axis: round numbers, powers of ten, and calendar units."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

X_TICKS, Y_TICKS = 6, 5  # fit on a phone
_MONTH_S = 2_629_746
# Calendar units, the longest first: numpy's unit, how many of it, about how many seconds, and how many labels fit.
_CALENDAR = [
    (unit, count, count * seconds, most)
    for unit, seconds, most, counts in (
        ("Y", 12 * _MONTH_S, 6, (100, 50, 20, 10, 5, 2, 1)),
        ("M", _MONTH_S, 5, (6, 3, 1)),
        ("D", 86_400, 4, (14, 7, 2, 1)),
        ("h", 3_600, 3, (12, 6, 3, 1)),
        ("m", 60, 3, (30, 10, 5, 1)),
        ("s", 1, 3, (30, 10, 5, 1)),
    )
    for count in counts
]


class Tick(NamedTuple):
    """A label and its place, in percent of the axis from its low end."""

    at: float
    text: str


def number_ticks(low: float, high: float, most: int, whole: bool = False) -> tuple[Tick, ...]:
    """Place ticks at multiples of 1, 2 or 5 times a power of ten.

    Args:
        low: the lowest number on the axis.
        high: the highest.
        most: about the largest number of ticks.
        whole: ticks at whole numbers only.

    Example:
        >>> number_ticks(0.0, 0.5, 5)[1]
        Tick(at=20.0, text='0.1')
    """
    rough = max((high - low) / most, 1.0 if whole else 0.0)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    largest = max(abs(low), abs(high))
    plain = decimals <= 4 and (largest < 1e6 or largest >= 1e3 * step)  # else every label of 1e9 + sin(t) is 1e9
    values = [i * step for i in range(first, last + 1)]
    return tuple(Tick(_percent(v, low, high), f"{v:.{decimals}f}" if plain else f"{v:.4g}") for v in values)


def log_ticks(low: float, high: float) -> tuple[Tick, ...]:
    """Place ticks on a logarithmic axis whose ends are given as powers of ten.

    Example:
        >>> [tick.text for tick in log_ticks(-1.0, 1.0)]
        ['0.1', '0.2', '0.5', '1', '2', '5', '10']
    """
    for factors in ((1, 2, 5), (1, 3), (1,)):
        exponents = [math.log10(n) + p for p in range(math.floor(low), math.ceil(high) + 1) for n in factors]
        inside = [exponent for exponent in exponents if low - 1e-9 <= exponent <= high + 1e-9]
        if len(inside) <= Y_TICKS + 2:
            break
    if len(inside) < 3:  # less than a decade: round numbers
        bottom, top = 10**low, 10**high
        ticks = number_ticks(bottom, top, Y_TICKS)
        values = [bottom + tick.at / 100 * (top - bottom) for tick in ticks]
        return tuple(Tick(_percent(math.log10(v), low, high), t.text) for v, t in zip(values, ticks, strict=True))
    inside = inside[:: -(-len(inside) // (Y_TICKS + 2))]
    return tuple(Tick(_percent(exponent, low, high), f"{10**exponent:.3g}") for exponent in inside)


def time_ticks(low: float, high: float) -> tuple[Tick, ...]:
    """Place ticks at calendar units: the finest unit that gives only a few.

    Args:
        low: seconds since 1970, UTC.
        high: the other end, likewise.

    Example:
        >>> [tick.text for tick in time_ticks(0.0, 86_400.0)]
        ['1970-01-01', '12:00', '01-02 00:00']
    """
    first, last = (np.datetime64(int(end), "s") for end in (low, high))
    found: tuple[Tick, ...] = ()
    for unit, count, seconds, most in _CALENDAR:
        if (high - low) / seconds > 2 * most:
            break
        places = np.arange(first.astype(f"datetime64[{unit}]"), last.astype(f"datetime64[{unit}]") + 1)
        turns = places[(places.astype(np.int64) % count == 0) & (places >= first) & (places <= last)]
        if len(turns) >= len(found) and 1 <= len(turns) <= most:
            at = turns.astype("datetime64[s]").astype(np.int64)
            texts = _moments([str(turn) for turn in turns])
            found = tuple(Tick(_percent(float(s), low, high), text) for s, text in zip(at, texts, strict=True))
    return found


def _moments(turns: list[str]) -> list[str]:
    """Write dates and times; within the same day or year, only the part that changes."""
    texts = []
    for before, turn in zip(["", *turns], turns, strict=False):
        day, _, clock = turn.partition("T")
        clock = f"{clock}:00" if len(clock) == 2 else clock
        if day[:4] != before[:4]:
            texts.append(f"{day} {clock}" if clock.strip("0:") else day)
        elif clock and day == before[:10]:
            texts.append(clock)
        else:
            texts.append(f"{day[5:]} {clock}".rstrip() if len(day) == 10 else day)
    return texts


def _percent(value: float, low: float, high: float) -> float:
    return round(100 * (value - low) / (high - low), 2)
