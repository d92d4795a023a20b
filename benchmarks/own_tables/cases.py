"""What is trained: the tables of EDGELSTM_DATA/tables with the commands that their owners would give."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from benchmarks import ROOT
from benchmarks.case_runs import kept_result, result_path

RUNS = ROOT / "runs" / "own-tables"


class Case(NamedTuple):
    """A table, and the options after `edgelstm train TABLE`.

    Attributes:
        path: below EDGELSTM_DATA/tables, or an absolute one of a generated table.
        first: options of the owner's first command.
        window, horizon: as the data set suggests.
        mend: options to add if the first command is refused or not yet right; empty if it trains.
        refusal: what the one-line refusal of the first command must name; empty if it trains.
        mentions: what the output of the first command must mention.
        counts: whether its figures enter the geometric means alone; those of `eia` count together as one.
        group: `"eia"`, or empty.
    """

    path: str
    first: tuple[str, ...]
    window: int
    horizon: int
    mend: tuple[str, ...] = ()
    refusal: tuple[str, ...] = ()
    mentions: str = ""
    group: str = ""

    @property
    def options(self) -> tuple[str, ...]:
        """The options that train: the first command with its fix."""
        kept = self.first if "--no-time" not in self.mend else self.first[2:]
        return (*kept, *(word for word in self.mend if word != "--no-time"))


_BEIJING = tuple(word for column in ("pm2.5", "DEWP", "TEMP", "cbwd") for word in ("--feature", column))
_HOURS = tuple(word for column in ("year", "month", "day", "hour") for word in ("--time", column))
TABLES = {
    "airline": Case("airline/airline-passengers.csv", ("--time", "Month", "--target", "Passengers"), 24, 12),
    "milk": Case("milk_gaps/monthly-milk-incomplete.csv", ("--time", "Month", "--target", "Pounds per cow"), 24, 12),
    "wool": Case("wool_quarterly/woolyrnq.csv", ("--time", "date", "--target", "Y"), 12, 4),
    "shampoo": Case(
        "shampoo/shampoo.csv",
        ("--time", "Month", "--target", "Sales"),
        6,
        3,
        mend=("--no-time",),
        refusal=("--time",),
    ),
    "mintemp": Case("mintemp/daily-min-temperatures.csv", ("--time", "Date", "--target", "Temp"), 60, 7),
    "pjm": Case(
        "pjm/PJME_hourly.csv",
        ("--time", "Datetime", "--target", "PJME_MW"),
        168,
        24,
        mend=("--duplicates", "mean"),
        refusal=("--time-zone", "--duplicates"),
    ),
    "beijing": Case("beijing_pm25/pollution.csv", (*_HOURS, "--target", "pm2.5", *_BEIJING), 72, 24),
    "air-quality": Case(
        "air_quality/AirQualityUCI.csv",
        ("--time", "Date", "--time", "Time", "--target", "CO(GT)"),
        72,
        24,
        mend=("--na", "-200"),
        mentions="-200",
    ),
    "jena": Case("jena/jena_climate.csv", ("--time", "Date Time", "--target", "T (degC)"), 144, 36),
    "brent": Case("brent/brent_crude_oil.csv", ("--time", "day", "--target", "DPB"), 60, 5),
    "home-assistant": Case(
        "home_assistant/co2_history.csv",
        ("--time", "last_changed", "--target", "state"),
        72,
        24,
        mend=("--resample", "1h"),
        refusal=("--resample", "1h"),
    ),
    "eia-fleet": Case(
        "eia_weekly_long/eia_weekly.csv",
        ("--time", "datetime", "--series", "series_id", "--target", "value"),
        104,
        4,
    ),
}
EIA_SERIES, STORES = 9, 20
EIA = {
    f"eia-{i}": Case(
        str(RUNS / "made" / f"eia-{i}.csv"), ("--time", "datetime", "--target", "value"), 104, 4, group="eia"
    )
    for i in range(EIA_SERIES)
}
MADE = {
    "stores-fleet": Case(
        str(RUNS / "made" / "stores.csv"), ("--time", "date", "--series", "store", "--target", "sales"), 56, 7
    ),
    **{
        f"store-{i}": Case(str(RUNS / "made" / f"store-{i}.csv"), ("--time", "date", "--target", "sales"), 56, 7)
        for i in range(STORES)
    },
}
CASES = {**TABLES, **EIA, **MADE}
SCORED = [name for name in TABLES if name != "eia-fleet"]  # alone; with the mean of EIA beside them
FLEETS = {"eia-fleet": list(EIA), "stores-fleet": [name for name in MADE if name != "stores-fleet"]}


def table_of(name: str) -> Path:
    return Path(os.environ["EDGELSTM_DATA"]) / "tables" / CASES[name].path


def command_of(name: str, seed: int, run: Path, options: tuple[str, ...] | None = None) -> list[str]:
    """Return the arguments of `edgelstm`."""
    case = CASES[name]
    sizes = ("--window", str(case.window), "--horizon", str(case.horizon), "--seed", str(seed))
    return ["train", str(table_of(name)), *(case.options if options is None else options), *sizes, "-o", str(run)]


def digest_of(name: str, seed: int) -> str:
    """Hash what a result belongs to: the command, and the sources of the trainer."""
    sources = sorted((ROOT / "edgelstm").rglob("*.py"))
    content = hashlib.sha256("".join(command_of(name, seed, Path("run"))).encode())
    for path in sources:
        content.update(path.read_bytes())
    return content.hexdigest()


def read_result(output: Path, name: str, seed: int) -> dict | None:
    """Read a result, if there is one for exactly this command and trainer."""
    return kept_result(result_path(output, name, seed), "digest", digest_of(name, seed))
