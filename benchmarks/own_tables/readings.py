"""The content of each table, parsed by hand with polars, without any code of edgelstm's readers.

A parse returns, by series name, the times of its rows, in UTC, and their values, NaN where missing; rows that the table
lacks are missing here too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

Parsed = dict[str, tuple[NDArray[np.datetime64] | None, NDArray[np.float64]]]


def _one(frame: pl.DataFrame, times: pl.Series | None, *columns: str) -> Parsed:
    values = frame.select(pl.col(column).cast(pl.Float64) for column in columns).to_numpy()
    return {"": (None if times is None else _utc(times), values)}


def _utc(times: pl.Series) -> NDArray[np.datetime64]:
    return times.cast(pl.Datetime("us")).to_numpy().astype("datetime64[us]")


def airline(path: Path) -> Parsed:
    frame = pl.read_csv(path)
    return _one(frame, frame["Month"].str.to_date("%Y-%m"), "Passengers")


def milk(path: Path) -> Parsed:
    frame = pl.read_csv(path).drop_nulls()
    return _one(frame, (frame["Month"] + "-01").str.to_date("%Y-%m-%d"), "Pounds per cow")


def wool(path: Path) -> Parsed:
    frame = pl.read_csv(path)
    return _one(frame, frame["date"].str.to_date("%Y-%m-%d"), "Y")


def shampoo(path: Path) -> Parsed:
    return _one(pl.read_csv(path), None, "Sales")


def mintemp(path: Path) -> Parsed:
    frame = pl.read_csv(path)
    return _one(frame, frame["Date"].str.to_date("%Y-%m-%d"), "Temp")


def pjm(path: Path) -> Parsed:
    """Read times as UTC; hours that occur twice with different values become one, their mean."""
    frame = pl.read_csv(path).with_columns(pl.col("Datetime").str.to_datetime("%m/%d/%Y %k:%M"))
    frame = frame.group_by("Datetime").agg(pl.col("PJME_MW").mean()).sort("Datetime")
    return _one(frame, frame["Datetime"], "PJME_MW")


def beijing(path: Path) -> Parsed:
    frame = pl.read_csv(path, null_values=["NA"], infer_schema_length=None)
    times = frame.select(pl.datetime("year", "month", "day", "hour")).to_series()
    words = sorted(frame["cbwd"].unique())
    frame = frame.with_columns((pl.col("cbwd") == word).cast(pl.Float64).alias(f"cbwd={word}") for word in words)
    return _one(frame, times, "pm2.5", "DEWP", "TEMP", *(f"cbwd={word}" for word in words))


def air_quality(path: Path) -> Parsed:
    frame = pl.read_csv(path, separator=";", infer_schema=False).filter(pl.col("Date").is_not_null())
    times = (frame["Date"] + " " + frame["Time"]).str.to_datetime("%d/%m/%Y %H:%M:%S")
    number = pl.col("CO(GT)").str.replace(",", ".", literal=True).cast(pl.Float64)
    return _one(frame.with_columns(pl.when(number != -200).then(number).alias("CO(GT)")), times, "CO(GT)")


def jena(path: Path) -> Parsed:
    frame = pl.read_csv(path)
    return _one(frame, frame["Date Time"].str.to_datetime("%d.%m.%Y %H:%M:%S"), "T (degC)")


def brent(path: Path) -> Parsed:
    frame = pl.read_csv(path)
    return _one(frame, frame["day"].str.to_date("%m/%d/%Y"), "DPB")


def home_assistant(path: Path) -> Parsed:
    """Average each hour, from its start; hours without a number are missing."""
    frame = pl.read_csv(path, null_values=["unavailable", "unknown"])
    times = frame["last_changed"].str.to_datetime("%Y-%m-%dT%H:%M:%S%.3fZ")
    frame = frame.select(times.dt.truncate("1h").alias("hour"), pl.col("state").cast(pl.Float64))
    frame = frame.group_by("hour").agg(pl.col("state").mean()).sort("hour")
    return _one(frame, frame["hour"], "state")


def eia(path: Path) -> Parsed:
    frame = pl.read_csv(path)
    return {
        str(name[0]): (_utc(some["datetime"].str.to_date("%Y-%m-%d")), some.select("value").to_numpy().astype(float))
        for name, some in frame.group_by("series_id", maintain_order=True)
    }


PARSES: dict[str, Callable[[Path], Parsed]] = {
    "airline": airline,
    "milk": milk,
    "wool": wool,
    "shampoo": shampoo,
    "mintemp": mintemp,
    "pjm": pjm,
    "beijing": beijing,
    "air-quality": air_quality,
    "jena": jena,
    "brent": brent,
    "home-assistant": home_assistant,
    "eia-fleet": eia,
}
WEEKDAY = "weekday"
STEPS: dict[str, timedelta | str | int] = {  # a number counts months
    "airline": 1,
    "milk": 1,
    "wool": 3,
    "mintemp": timedelta(days=1),
    "pjm": timedelta(hours=1),
    "beijing": timedelta(hours=1),
    "air-quality": timedelta(hours=1),
    "jena": timedelta(minutes=10),
    "brent": WEEKDAY,
    "home-assistant": timedelta(hours=1),
    "eia-fleet": timedelta(days=7),
}


def grid_of(name: str, times: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """List every time of the rhythm from the first to the last: datetime64[us]."""
    step, first, last = STEPS[name], times.min(), times.max()
    if isinstance(step, timedelta):
        return np.arange(first, last + np.timedelta64(1, "us"), step).astype("datetime64[us]")
    if isinstance(step, int):
        months = np.arange(first.astype("M8[M]"), last.astype("M8[M]") + 1, step)
        return months.astype("datetime64[us]")
    return times  # missing business days are holidays, not times of the rhythm


def differences(name: str, parsed: Parsed, read: Parsed) -> list[str]:
    """Say where a reading differs from the parse; empty if it does not.

    Args:
        name: name of the case.
        parsed: by hand.
        read: by edgelstm, every time of the rhythm.
    """
    found = []
    if sorted(parsed) != sorted(read):
        return [f"series {sorted(read)}, expected {sorted(parsed)}"]
    for series, (times, values) in parsed.items():
        got_times, got = read[series]
        if times is None:
            same = got_times is None and np.array_equal(got, values, equal_nan=True)
            found += [] if same else [f"{series or name}: values or times differ"]
            continue
        grid = grid_of(name, times)
        expected = np.full((len(grid), values.shape[1]), np.nan)
        places = np.searchsorted(grid, times)
        inside = (places < len(grid)) & (grid[np.minimum(places, len(grid) - 1)] == times)
        if not inside.all():
            found.append(f"{series or name}: the parse has moments off the rhythm, such as {times[~inside][0]}")
            continue
        expected[places] = values
        if got_times is None or not np.array_equal(got_times, grid):
            size = None if got_times is None else len(got_times)
            found.append(f"{series or name}: {size} places of the rhythm, expected {len(grid)}")
        elif not np.allclose(got, expected, rtol=1e-12, atol=0, equal_nan=True):
            row = int(np.argmax(~np.isclose(got, expected, rtol=1e-12, atol=0, equal_nan=True).all(axis=1)))
            found.append(f"{series or name}: {got[row]} at {grid[row]}, expected {expected[row]}")
    return found
