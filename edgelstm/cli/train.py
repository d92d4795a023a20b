"""`edgelstm train` and `edgelstm finetune`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgelstm.cli.options import Panelled, usual_words
from edgelstm.cli.recipe import Sections, asks_a_recipe, first_flag, names_flags, recipe_options
from edgelstm.cli.words import figure_words, table
from edgelstm.errors import RecipeError, counted
from edgelstm.options import table_formats
from edgelstm.recipe import load_recipe, render_recipe
from edgelstm.recipe.sections import SplitRecipe

if TYPE_CHECKING:
    from edgelstm.train import Fitted

INTERRUPTED = 130
_FRACTIONS = ",".join(map(usual_words, SplitRecipe().fractions))
Split = Annotated[
    str | None,
    typer.Option(
        rich_help_panel="Data and split",
        help=f"Fractions for training, validation and test. [{_FRACTIONS}]",
    ),
]

app = typer.Typer(rich_markup_mode=None)


@app.command("train", cls=Panelled)
@asks_a_recipe(recipe_options("", "data", "split", "window", "network", "training"))
def train(
    data: Annotated[str | None, typer.Argument(help=f"A {table_formats()} file, or builtin:co2.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The run directory. [runs/NAME]")] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe (TOML); the options below override it.")] = None,
    show_recipe: Annotated[bool, typer.Option("--show-recipe", help="Print the complete recipe and exit.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the training in --output.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --output.")] = False,
    quantization_aware: Annotated[
        bool, typer.Option("--quantization-aware", help="Afterwards fine-tune for the int8 file, as `finetune` does.")
    ] = False,
    split: Split = None,
    *,
    asked: Sections,
) -> None:
    """Start or resume a training, or print its recipe."""
    flags = _flags(asked, data, split)
    if data is not None and recipe is None:
        flags.setdefault("", {}).setdefault("name", _name_of(data))
    if quantization_aware:
        flags["quantization"] = {}  # keeps the keys of the recipe file
    if show_recipe:
        with names_flags(flags, recipe):
            print(render_recipe(load_recipe(recipe, flags)), end="")
        return
    if resume and overwrite:
        raise RecipeError("--resume and --overwrite exclude each other: resume the training, or start it again")
    with names_flags(flags, recipe):
        _show(lambda: _resume(output, recipe, flags) if resume else _begin(output, recipe, flags, overwrite))


# Keys that the run to fine-tune has already settled.
_SETTLED = ("calendar", "classes", "cap", "drift", "epochs", "initialization")
_OF_A_TABLE = [
    option
    for option in recipe_options("data", "split", "window", "network", "training")
    if option.key in ("stride", "dropout")
    or (option.section not in ("window", "network") and option.key not in _SETTLED)
]


@app.command("finetune", cls=Panelled)
@asks_a_recipe([*recipe_options("quantization"), *_OF_A_TABLE])
def finetune(
    run: Annotated[Path, typer.Argument(help="A run directory; it is not changed.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The new run directory. [RUN-int8; in float32 RUN-tuned]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --output.")] = False,
    data: Annotated[str | None, typer.Option(help="For an imported run: the table to train on.")] = None,
    split: Split = None,
    *,
    asked: Sections,
) -> None:
    """Check which kind of further training the options ask for, and start it."""
    from edgelstm.train import finetune as finetune_run

    options = asked.pop("quantization", {})
    if data is None and (asked or split):
        flag = first_flag(_OF_A_TABLE, asked) or "--split"
        raise RecipeError(f"{flag} needs --data; without it the run is trained on its own table, with its own settings")
    if data is not None and set(options) == {"epochs"}:  # in float32
        asked.setdefault("training", {}).update(options)
        options = {}
    sections = None if data is None else _flags(asked, data, split)
    with names_flags({**(sections or {}), "quantization": options}):
        _show(lambda: finetune_run(run, output, asked=sections, overwrite=overwrite, **options))


def _show(train: Callable[[], Fitted]) -> None:
    """Train and print the result; Ctrl-C gives an exit status of its own."""
    try:
        fitted = train()
    except KeyboardInterrupt:
        print("interrupted before the end of the first epoch: nothing was kept", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    if not fitted.written:  # the first node prints
        return
    show_fitted(fitted)
    if fitted.interrupted:
        print(
            "interrupted; the best weights so far are kept; resume with "
            f"`edgelstm train --resume --output {fitted.run.path}`",
            file=sys.stderr,
        )
        raise typer.Exit(INTERRUPTED)


def show_fitted(fitted: Fitted) -> None:
    """Print the result, and where it was written."""
    count = counted(len(fitted.problem.training), *fitted.problem.traits.nouns)
    print(f"trained {count} in {fitted.seconds:.1f} s, {_kept(fitted)}")
    for line in _advice(fitted):
        print(line)
    if fitted.evaluation.parts:
        print()
        print(scores_table(fitted))
        for line in filter(None, [_verdict(fitted)]):
            print(f"\n{line}")
    quantize = f"--quantize {_tuned_for(fitted)}".rstrip()
    path = fitted.run.path
    print(f"\nwrote {path}, look at {path / 'report.html'}; next: edgelstm export {path} {quantize}")


def _kept(fitted: Fitted) -> str:
    best = fitted.run.record.best_epoch
    if best:
        gain = fitted.trained.gain
        return f"kept epoch {best}" + (f", with the LSTM's correction weighted by {gain:.0%}" if gain != 1 else "")
    first = "the initial weights, which are" if fitted.start is None else "the line it started from, which is"
    return f"no epoch improved on {first} kept"


def _advice(fitted: Fitted) -> list[str]:
    """Suggest what to change in the training: more time or more epochs."""
    trained, training = fitted.trained, fitted.recipe.training
    done = len(trained.history)
    if trained.out_of_time:
        return [
            f"stopped after {done} of {training.epochs} epochs, the limit of {training.time_limit}: raise --time-limit"
        ]
    if fitted.problem.validation is not None and 1 < done == trained.best_epoch and not trained.interrupted:
        return [f"the last epoch was the best: try more, --epochs {2 * done}"]
    return []


def scores_table(fitted: Fitted) -> str:
    """Lay out the scores on each held-out part: of the network, before any fine-tuning of a run, of the baselines."""
    from edgelstm.data.scores.figures import figures_of

    parts, figures = fitted.evaluation.parts, figures_of(fitted.run.record.contract)
    headers = ["", *(f"{part.name} {figure.words}" for part in parts for figure in figures)]
    labels = {"network": "LSTM", "quantized": f"LSTM as {_tuned_for(fitted)}"}
    scored = {labels.get(name, name): {part.name: part.scored[name] for part in parts} for name in parts[0].networks}
    scored |= {f"{labels[name]} before fine-tuning": scores for name, scores in fitted.before.items()}
    scored |= {name: {part.name: part.scored[name] for part in parts} for name in parts[0].baselines}
    rows = [
        [name, *(figure_words(scores[part.name].score, figure.key) for part in parts for figure in figures)]
        for name, scores in scored.items()
    ]
    return table(headers, rows)


def _verdict(fitted: Fitted) -> str:
    """Write a sentence if a straight line is as good as the network on the last part."""
    from edgelstm.report.words import line_words

    words = line_words(fitted.evaluation.parts[-1], fitted.run.record.contract.metric)
    return words.replace("RUN", str(fitted.run.path))


def _tuned_for(fitted: Fitted) -> str:
    tuned_for = fitted.run.record.tuned_for
    return tuned_for[0] if tuned_for else ""


def _flags(asked: Sections, data: str | None, split: str | None) -> Sections:
    """Add the table and its split to the other given options."""
    flags = {section: dict(values) for section, values in asked.items()}
    if data is not None:
        flags.setdefault("data", {})["path"] = data
    if split is not None:
        flags.setdefault("split", {}).update(_fractions(split))
    return flags


def _name_of(data: str) -> str:
    """Name a run after its data, with characters that a file name may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(data.removeprefix("builtin:")).stem).strip("-._") or "lstm"


def _fractions(text: str) -> dict[str, float]:
    try:
        training, validation, test = map(float, text.split(","))
    except ValueError as error:
        raise RecipeError(f"--split: expected three fractions such as {_FRACTIONS}, got {text!r}") from error
    return {"training": training, "validation": validation, "test": test}


def _begin(output: Path | None, recipe: Path | None, flags: Sections, overwrite: bool) -> Fitted:
    from edgelstm.train import fit_recipe

    asked = load_recipe(recipe, flags)
    return fit_recipe(asked, output or Path("runs") / asked.name, overwrite=overwrite)


def _resume(output: Path | None, recipe: Path | None, flags: Sections) -> Fitted:
    """Resume the training in the folder; a recipe or options must be the same as at its start."""
    from edgelstm.train import resume_recipe

    if recipe is None and flags and "data" not in flags:
        raise RecipeError("--resume uses the settings of the run: give no other options, or exactly the same")
    asked = load_recipe(recipe, flags) if recipe or flags else None
    if output is None and asked is None:
        raise RecipeError("--resume needs the run to continue: --output runs/NAME")
    return resume_recipe(output or Path("runs") / asked.name, asked)  # type: ignore[union-attr]
