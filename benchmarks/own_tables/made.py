"""Generated tables: each series of the EIA alone, and 20 stores of sizes from 1 to 1,000."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.own_tables.cases import EIA, RUNS, STORES, TABLES
from edgelstm.files import write_whole

DAYS, START = 600, date(2022, 1, 1)


def make_tables() -> None:
    """Write missing tables; two processes that do so at once write the same."""
    folder = RUNS / "made"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "eia-8.csv").exists():
        _part_eia(folder)
    if not (folder / "store-19.csv").exists():
        _make_stores(folder)


def _part_eia(folder: Path) -> None:
    frame = pl.read_csv(Path(os.environ["EDGELSTM_DATA"]) / "tables" / TABLES["eia-fleet"].path)
    parts = frame.group_by("series_id", maintain_order=True)
    for name, (_, part) in zip(EIA, parts, strict=True):
        write_whole(folder / f"{name}.csv", part.select("datetime", "value").write_csv().encode())


def _make_stores(folder: Path) -> None:
    """Make sales of one pattern at very different sizes: a week, a slow year, lasting changes, and noise."""
    rng = np.random.default_rng(0)
    sizes = np.geomspace(1, 1000, STORES)
    day = np.arange(DAYS)
    lines = []
    for store, size in enumerate(sizes):
        week = 1 + 0.3 * np.sin(2 * np.pi * (day + rng.integers(7)) / 7) + 0.2 * (day % 7 == 5)
        year = 1 + 0.2 * np.sin(2 * np.pi * day / 365 + rng.uniform(0, 6))
        slow = np.exp(0.03 * np.cumsum(rng.normal(size=DAYS)) - 0.01 * np.arange(DAYS) / 30)
        sales = size * week * year * slow * (1 + 0.1 * rng.normal(size=DAYS))
        own = [f"{START + timedelta(days=int(d))},{s:.4f}" for d, s in zip(day, sales, strict=True)]
        write_whole(folder / f"store-{store}.csv", "\n".join(["date,sales", *own, ""]).encode())
        lines += [(d, f"{line.split(',')[0]},store {store},{line.split(',')[1]}") for d, line in enumerate(own)]
    rows = [line for _, line in sorted(lines, key=lambda pair: pair[0])]  # interleaved by day
    write_whole(folder / "stores.csv", "\n".join(["date,store,sales", *rows, ""]).encode())
