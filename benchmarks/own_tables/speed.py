"""How long it takes to read a CSV of a million rows and five columns with timestamps, beside polars and `csv`."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read

ROWS, CHANNELS, ROUNDS = 1_000_000, 4, 5
COLUMNS = tuple(f"c{i}" for i in range(CHANNELS))


def measure_speed(folder: Path) -> dict[str, float]:
    """Return the median seconds of each way to read the table, measured in turn."""
    path = folder / "million.csv"
    _write(path)
    ways: dict[str, Callable[[], object]] = {
        "edgelstm": lambda: read(path, Asking(columns=COLUMNS, time=("time",))),
        "polars.read_csv": lambda: pl.read_csv(path, try_parse_dates=True),
        "csv.reader": lambda: _standard_library(path),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, call in ways.items():
            start = time.perf_counter()
            call()
            times[way].append(time.perf_counter() - start)
    path.unlink()
    return {way: median(found) for way, found in times.items()}


def _write(path: Path) -> None:
    start, values = datetime(2020, 1, 1), np.random.default_rng(0).normal(size=(ROWS, CHANNELS)).round(4)
    with path.open("w") as file:
        file.write(",".join(("time", *COLUMNS)) + "\n")
        for i, row in enumerate(values.tolist()):
            file.write(f"{start + timedelta(minutes=i)},{','.join(map(repr, row))}\n")


def _standard_library(path: Path) -> tuple[list[datetime], list[list[float]]]:
    with path.open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        times, values = [], []
        for moment, *numbers in rows:
            times.append(datetime.fromisoformat(moment))
            values.append([float(number) for number in numbers])
    return times, values
