"""`edgelstm evaluate`: score a run or a file on data with known truth, compare with baselines, and write a page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from edgelstm.cli.device import Device, ProviderOption, Threads, Unverified, provider_options
from edgelstm.cli.reading import Given, option_of, reads_a_table, table_of
from edgelstm.cli.words import table
from edgelstm.errors import InputError
from edgelstm.files import write_all_whole

if TYPE_CHECKING:
    from edgelstm.contract import Contract, Score
    from edgelstm.data.examples import Examples
    from edgelstm.report import Evaluation
    from edgelstm.run import Run
    from edgelstm.runtime import Predictor


class Data(NamedTuple):
    """The data to evaluate on.

    Attributes:
        part: the name of the part.
        examples: with their truth.
        sha256: of the source; None if unknown.
        known: scores of baselines from the training.
        season: as trained; None if unknown.
        report: notes on the table, one per line.
    """

    part: str
    examples: Examples
    sha256: str | None
    known: dict[str, Score]
    season: int | None
    report: tuple[str, ...] = ()


@reads_a_table("--format")
def evaluate(
    subject: Annotated[Path, typer.Argument(metavar="RUN|FILE", help="A run directory or a model file.")],
    data: Annotated[
        str | None,
        typer.Argument(help="A table, - for a CSV on stdin, or a run, for its test part. [test part of RUN]"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the report. [RUN/evaluation or ./FILE-report]")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of the classes. [as trained]")] = None,
    *,
    reading: Given,
    season: Annotated[
        int | None,
        typer.Option(min=2, help="Samples in a season, for the baseline. [as trained, else by the calendar]"),
    ] = None,
    device: Device = "cpu",
    provider_option: ProviderOption = None,
    threads: Threads = None,
    unverified: Unverified = False,
) -> None:
    """Score a run or a file on data with known truth, and write report.html and metrics.json."""
    from edgelstm.errors import require
    from edgelstm.report import metrics_json, report_html
    from edgelstm.report.files import METRICS, PAGE

    require("jinja2", "report")
    about_table = {**reading, **({"label": label} if label else {})}
    load_as = {"device": device, "threads": threads, "unverified": unverified}
    run, predictor, name = _open(subject, load_as, provider_options(provider_option))
    if season is not None and not predictor.contract.traits.has_horizon:
        raise InputError(f"--season is for forecasts only; this file was trained to {predictor.contract.task}")
    found = _data(run, data, predictor.contract, about_table)
    evaluation = _evaluate(predictor, name, found, season)
    print("\n".join([*found.report, evaluation_words(evaluation)]))
    folder = output or (subject / "evaluation" if run else Path(f"{subject.stem}-report"))
    files = {folder / METRICS: metrics_json(evaluation), folder / PAGE: report_html(evaluation)}
    write_all_whole(files)
    print(f"\nwrote {' and '.join(map(str, files))}")


def evaluation_words(evaluation: Evaluation) -> str:
    """Lay out the scores of each part, with a sentence that compares network and baselines."""
    from edgelstm.data.scores.figures import figures_of
    from edgelstm.report.words import count_words, name_words, score_text, verdict_words

    columns, lines = figures_of(evaluation.contract), []
    for part in evaluation.parts:
        title = f"{part.name}, {count_words(part.examples, evaluation.contract)}"
        rows = [
            [name_words(name), *(score_text(scored, key) for key, _ in columns)] for name, scored in part.scored.items()
        ]
        lines += [table([title, *(words for _, words in columns)], rows), "", verdict_words(part, evaluation)]
    return "\n".join(lines)


def _open(subject: Path, load_as: dict[str, Any], options: dict[str, str]) -> tuple[Run | None, Predictor, str]:
    """Open the network of a run, as its fp32 file would run, or a file; also gives its name in the report."""
    if subject.is_dir():
        if load_as != {"device": "cpu", "threads": None, "unverified": False} or options:
            raise InputError("--device, --provider-option, --threads and --unverified need a model file, got a run")
        from edgelstm.export import open_run

        return *open_run(subject), "network"
    from edgelstm.runtime import load

    predictor = load(subject, **load_as, provider_options=options)
    for reason in predictor.let_pass:
        print(f"edgelstm: unverified: {reason}", file=sys.stderr)
    return None, predictor, subject.name


def _data(run: Run | None, data: str | None, contract: Contract, about_table: Given) -> Data:
    """Read a table, or take the test part of a run."""
    if data is not None and not Path(data).is_dir():
        from edgelstm.answers.tables import PART, read_examples

        found = read_examples(table_of(data), contract, **about_table)
        return Data(PART, found.examples, found.sha256, {}, _data_recipe(run).get("season"), found.report)
    if about_table:
        raise InputError(f"{option_of(about_table)} needs a table: add one")
    if data is not None:
        from edgelstm.run import read_run

        run = read_run(data)
    return _held_out(run, contract)


def _held_out(run: Run | None, contract: Contract) -> Data:
    if run is None:
        raise InputError("a model file contains no data: add a table, or the run it was exported from")
    if run.heldout is None:
        raise InputError(f"{run.path} has no test part: add a table to evaluate on")
    trained = run.record.contract
    for key in ("task", "answer", "window", "horizon"):
        if getattr(trained, key) != getattr(contract, key):
            raise InputError(
                f"{run.path} has {key} {getattr(trained, key)!r}, the file has {getattr(contract, key)!r}: give the "
                "run that the file was exported from"
            )
    for key in ("inputs", "outputs"):
        names = [[channel.name for channel in getattr(one, key)] for one in (contract, trained)]
        if names[0] != names[1]:
            raise InputError(
                f"{run.path} has {key} {names[1]}, the file has {names[0]}: give the run it was exported from"
            )
    known = next((part.baselines for part in trained.metrics if part.part == "test"), {})
    return Data("test", run.heldout, trained.provenance.data_sha256, known, _data_recipe(run).get("season"))


def _data_recipe(run: Run | None) -> dict[str, Any]:
    """Give `[data]` of the recipe of a run; empty for a file, and for a run from arrays or an import."""
    recipe = run.record.recipe if run is not None else None
    return dict(recipe.get("data") or {}) if isinstance(recipe, dict) else {}


def _evaluate(predictor: Predictor, name: str, data: Data, season: int | None) -> Evaluation:
    from edgelstm.answers import answerer_of
    from edgelstm.data.seasons import season_of
    from edgelstm.report import Part, evaluate_parts
    from edgelstm.report.rivals import rivals_of

    contract = predictor.contract
    chosen = season or data.season or season_of(contract.sample_period_s)
    answerer = answerer_of(predictor, data.examples, name)
    baselines = rivals_of(contract, data.examples, chosen)
    if data.known:  # score the same baselines as the training did
        baselines = {name: baseline for name, baseline in baselines.items() if name in data.known}
    part = Part(data.part, data.examples, {name: answerer}, baselines, data.known)
    return evaluate_parts(contract, [part], source=name, data_sha256=data.sha256, season=chosen)
