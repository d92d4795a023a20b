"""The results of every seed, as tables in the cards models/*/README.md, between their two marks."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, pstdev
from typing import Any

from benchmarks.acceptance.cases import CASES, MODELS, read_result

BEGIN, END = "<!-- figures: make acceptance -->", "<!-- /figures -->"
FORMS = ("fp32", "int8", "int8w")
Result = dict[str, Any]
Row = list[str]


def card_of(recipe: str) -> Path:
    return MODELS / recipe / "README.md"


def with_tables(card: str, tables: list[str]) -> str:
    """Put tables between the marks of a card; without tables, leave it unchanged."""
    before, begin, rest = card.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"expected a card with the marks {BEGIN} and {END}")
    return before + begin + "\n\n" + "\n\n".join(tables) + "\n\n" + end + after if tables else card


def tables_of(recipe: str, output: Path) -> list[str]:
    """Lay out the results of each case of a recipe, and the model files that are committed beside its card."""
    names = [name for name, case in CASES.items() if case.recipe == recipe]
    found = {name: [result for result in results_of(output, name) if result] for name in names}
    tables = [table_of(name, results) for name, results in found.items() if results]
    files = sorted((MODELS / recipe).glob("*.onnx"))
    return [*tables, *([committed(files)] if files else [])]


def results_of(output: Path, name: str) -> list[Result | None]:
    """Read the results of a case by seed; None for one of an older recipe."""
    seeds = sorted(int(path.name.split(".")[-2]) for path in output.glob(f"{name}.*.json"))
    return [read_result(output, name, seed) for seed in seeds]


def table_of(name: str, results: list[Result]) -> str:
    """Lay out one case as a table: baselines, each seed, their mean, and the files."""
    figures = [figure.name for figure in CASES[name].figures]
    validation = [figure for figure in figures if figure in results[0]["validation"].get("network", {})][:1]
    columns = [("validation", figure) for figure in validation] + [("test", figure) for figure in figures]
    rows = [*baselines(results[0], columns), *networks(results, columns), *files(results, columns)]
    header = ["", *(f"validation {figure}" if part == "validation" else figure for part, figure in columns)]
    seconds = ", ".join(f"{result['training_s']:.0f}" for result in results)
    return "\n".join(
        [
            f"**{name}**, test part{' but for the first column' if validation else ''}:",
            "",
            *markdown(header, rows),
            "",
            f"Training took {seconds} s on one thread of a shared machine.",
        ]
    )


def baselines(result: Result, columns: list[tuple[str, str]]) -> list[Row]:
    others = [who for who in result["test"] if who != "network"]
    return [[who, *(text(result[part][who][figure]) for part, figure in columns)] for who in others]


def networks(results: list[Result], columns: list[tuple[str, str]]) -> list[Row]:
    values = {column: [result[column[0]]["network"][column[1]] for result in results] for column in columns}
    rows = [
        [f"LSTM, seed {result['seed']}", *(text(values[column][i]) for column in columns)]
        for i, result in enumerate(results)
    ]
    if len(results) > 1:
        means = [f"**{text(mean(values[column]))}** ± {text(pstdev(values[column]))}" for column in columns]
        rows.append([f"**LSTM, mean of {len(results)} seeds**", *means])
    return rows


def files(results: list[Result], columns: list[tuple[str, str]]) -> list[Row]:
    """Average each file over the seeds; files are not run on validation."""
    rows = []
    for form in FORMS:
        found = [result["files"][form] for result in results]
        chosen = [result["files"]["recommended"] for result in results].count(form)
        recommended = ", recommended" if chosen * 2 > len(results) else ""
        cells = [text(mean(one[figure] for one in found)) if part == "test" else "" for part, figure in columns]
        rows.append([f"{form} file{recommended}, {found[0]['bytes']:,} bytes", *cells])
    return rows


def committed(paths: list[Path]) -> str:
    """Describe the model files beside the card from their contracts."""
    from edgelstm import load

    rows, contracts = [], {path: load(path).contract for path in paths}
    for path, contract in contracts.items():
        figure = contract.metrics[-1].file[contract.metric]
        error = max(contract.fidelity.network_error)
        rows.append([f"`{path.name}`", f"{path.stat().st_size:,}", text(figure), f"{error:.2g}"])
    metric, unit = contracts[paths[0]].metric, contracts[paths[0]].outputs[0].unit
    header = [
        "file",
        "bytes",
        f"test {metric.upper()} ({unit})",
        f"largest difference from the network on golden windows ({unit})",
    ]
    return "\n".join(["The files beside this card, trained with seed 0:", "", *markdown(header, rows)])


def markdown(header: Row, rows: list[Row]) -> list[str]:
    first, *others = ["| " + " | ".join(line) + " |" for line in (header, *rows)]
    return [first, "|---|" + "--:|" * (len(header) - 1), *others]


def text(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"
