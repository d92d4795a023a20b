"""The results: tables of ratios, and the missed bars."""

from __future__ import annotations

from math import exp, log
from statistics import mean
from typing import Any, NamedTuple

from benchmarks.own_tables.cases import EIA, FLEETS, SCORED

BY_CHOSEN, BY_BEST, WORST = 0.98, 1.00, 1.05  # bars: geometric means, and the worst ratio of tables with enough windows
ENOUGH_WINDOWS = 200
TRAINING_S = 60.0  # of processor time: one thread on an idle machine needs no longer
SLOWER = 10.0  # than polars
SAME = 1e-6  # two ways to compute one score
Result = dict[str, Any]


class Ratios(NamedTuple):
    """The errors of a network divided by those of baselines: below 1 it is better.

    Attributes:
        validation: its RMSE divided by that of the best baseline there.
        chosen: on test, divided by the baseline that was best on validation.
        best: on test, divided by the baseline that was best there.
    """

    validation: float
    chosen: float
    best: float


def report_of(results: dict[str, list[Result]], speed: dict[str, float] | None) -> tuple[str, list[str]]:
    """Lay out the results, and list the missed bars."""
    there = {name: found for name, found in results.items() if found}
    ratios = {name: [ratios_of(one) for one in found] for name, found in there.items() if name not in FLEETS}
    misses = [f"{name}: {line}" for name, found in there.items() for one in found for line in one["complaints"]]
    misses += _own_misses(ratios, there)
    sections = [_ratio_table(ratios, there), *(_fleet_table(fleet, there) for fleet in FLEETS if fleet in there)]
    misses += [line for fleet in FLEETS if fleet in there for line in _fleet_misses(fleet, there)]
    if speed:
        sections.append(_speed_table(speed))
        slower = speed["edgelstm"] / speed["polars.read_csv"]
        misses += [f"reading: {slower:.1f} times as long as polars, expected {SLOWER:g}"] if slower > SLOWER else []
    head = "# People's own tables\n\nMade by `python -m benchmarks.own_tables`: each command is an owner's first."
    return "\n\n".join([head, *sections]) + "\n", misses


def ratios_of(result: Result) -> Ratios:
    """Divide the RMSE of the network by those of the baselines."""
    of = {part: result["network"][part]["rmse"] for part in ("validation", "test")}
    others = {part: {who: one["rmse"] for who, one in result["baselines"][part].items()} for part in of}
    chosen = min(others["validation"], key=lambda who: others["validation"][who])
    return Ratios(
        of["validation"] / others["validation"][chosen],
        of["test"] / others["test"][chosen],
        of["test"] / min(others["test"].values()),
    )


def _own_misses(ratios: dict[str, list[Ratios]], results: dict[str, list[Result]]) -> list[str]:
    """Compare the networks of single series with the bars."""
    misses = []
    for name, found in ratios.items():
        if not (name in SCORED or name in EIA):
            continue
        worst = max(one.validation for one in found)
        misses += [f"{name}: worse on validation, {worst:.3f}"] if worst > 1 + SAME else []
        windows, on_test = results[name][0]["windows"]["test"], mean(one.chosen for one in found)
        if windows >= ENOUGH_WINDOWS and on_test > WORST:
            misses.append(f"{name}: {on_test:.3f} on {windows} test windows, expected at most {WORST}")
    for name, found in results.items():
        slowest = max(one["processor_s"] for one in found)
        misses += [f"{name}: a training took {slowest:.0f} s, expected {TRAINING_S:g}"] if slowest > TRAINING_S else []
    whole = _counted(ratios)
    if set(SCORED) <= ratios.keys() and set(EIA) <= ratios.keys():
        chosen, best = (geometric([getattr(one, by) for one in whole.values()]) for by in ("chosen", "best"))
        misses += [f"by the baseline of validation {chosen:.3f}, expected {BY_CHOSEN}"] if chosen > BY_CHOSEN else []
        misses += [f"by the best baseline of test {best:.3f}, expected {BY_BEST}"] if best > BY_BEST else []
    return misses


def _counted(ratios: dict[str, list[Ratios]]) -> dict[str, Ratios]:
    """Return the ratios that count, one for each table: the mean over seeds, and for EIA over its nine series."""
    means = {name: Ratios(*map(mean, zip(*found, strict=True))) for name, found in ratios.items()}
    whole = {name: means[name] for name in SCORED if name in means}
    nine = [means[name] for name in EIA if name in means]
    return {**whole, "eia, mean of nine": Ratios(*map(mean, zip(*nine, strict=True)))} if nine else whole


def geometric(values: list[float]) -> float:
    return exp(mean(map(log, values)))


def _ratio_table(ratios: dict[str, list[Ratios]], results: dict[str, list[Result]]) -> str:
    header = ["table", "by the best on validation", "on test, by that of validation", "on test, by the best there",
              "test windows", "seconds", "file"]  # fmt: skip
    rows = []
    for name in [*SCORED, *EIA]:
        if name in ratios:
            cells = [_spread([getattr(one, by) for one in ratios[name]]) for by in Ratios._fields]
            first = results[name][0]
            seconds = mean(one["processor_s"] for one in results[name])
            rows.append([name, *cells, str(first["windows"]["test"]), f"{seconds:.0f}", first["files"].get("form", "")])
    counted = _counted(ratios)
    if "eia, mean of nine" in counted:
        rows.append(["**eia, mean of nine**", *(f"{value:.3f}" for value in counted["eia, mean of nine"]), "", "", ""])
    if counted:
        means = [geometric([getattr(one, by) for one in counted.values()]) for by in Ratios._fields]
        rows.append(["**geometric mean**", *(f"**{value:.3f}**" for value in means), "", "", ""])
    note = "RMSE of the network by that of a baseline, mean over the seeds ± standard deviation. EIA counts once."
    return "\n".join(["## Alone", "", note, "", *markdown(header, rows)])


def _spread(values: list[float]) -> str:
    middle = mean(values)
    off = (sum((value - middle) ** 2 for value in values) / len(values)) ** 0.5
    return f"{middle:.3f}" + (f" ± {off:.3f}" if len(values) > 1 else "")


def scaled_errors(fleet: str, results: dict[str, list[Result]]) -> dict[str, float]:
    """Return the scaled RMSE on test, mean over series and seeds: one network, many, and each baseline of both."""
    found = {"one network": _of_fleet(results[fleet])}
    alone = [results[name] for name in FLEETS[fleet] if results.get(name)]
    if len(alone) == len(FLEETS[fleet]):
        found[f"{len(alone)} networks"] = mean(_scaled(one["network"]["test"]) for some in alone for one in some)
        shared = set.intersection(*({*one["baselines"]["test"]} for some in alone for one in some))
        for who in sorted(shared):
            found[f"{who}, each fitted alone"] = mean(
                _scaled(one["baselines"]["test"][who]) for some in alone for one in some
            )
    for who, by_series in results[fleet][0]["by_series"]["test"].items():
        if who in results[fleet][0]["baselines"]["test"]:
            found[f"{who}, in the fleet"] = mean(map(_scaled, by_series))
    return found


def _of_fleet(results: list[Result]) -> float:
    networks = [next(iter(one["by_series"]["test"].values())) for one in results]
    return mean(mean(map(_scaled, series)) for series in networks)


def _scaled(score: dict[str, float]) -> float:
    return score["scaled_mse"] ** 0.5


def _fleet_table(fleet: str, results: dict[str, list[Result]]) -> str:
    rows = [[who, f"{error:.4f}"] for who, error in scaled_errors(fleet, results).items()]
    windows, seconds = results[fleet][0]["windows"]["test"], mean(one["processor_s"] for one in results[fleet])
    note = f"RMSE by the training deviation of each series, their mean; {windows} test windows, {seconds:.0f} s."
    return "\n".join([f"## {fleet}", "", note, "", *markdown(["", "scaled RMSE"], rows)])


def _fleet_misses(fleet: str, results: dict[str, list[Result]]) -> list[str]:
    """Check that one network for all does not lose to the best baseline of the series."""
    errors = scaled_errors(fleet, results)
    others = {who: error for who, error in errors.items() if "network" not in who}
    best = min(others, key=lambda who: others[who], default=None)
    worse = best is not None and errors["one network"] > others[best] * WORST
    return [f"{fleet}: {errors['one network']:.4f}, {best} has {others[best]:.4f}"] if worse and best else []


def _speed_table(speed: dict[str, float]) -> str:
    rows = [[who, f"{seconds:.2f}", f"{seconds / speed['polars.read_csv']:.1f}"] for who, seconds in speed.items()]
    note = "A CSV of a million rows and five columns with timestamps; medians of five, in turn."
    return "\n".join(["## Time to read", "", note, "", *markdown(["", "seconds", "times polars"], rows)])


def markdown(header: list[str], rows: list[list[str]]) -> list[str]:
    first, *others = ["| " + " | ".join(line) + " |" for line in (header, *rows)]
    return [first, "|---|" + "--:|" * (len(header) - 1), *others]
