"""`edgelstm train`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgelstm.cli.words import figure_words, table
from edgelstm.errors import RecipeError

if TYPE_CHECKING:
    from edgelstm.train import Fitted

INTERRUPTED = 130

# Which key of a recipe each option sets.
_KEYS = {
    "name": ("", "name"),
    "task": ("", "task"),
    "data": ("data", "path"),
    "format": ("data", "format"),
    "delimiter": ("data", "delimiter"),
    "decimal": ("data", "decimal"),
    "encoding": ("data", "encoding"),
    "skip_rows": ("data", "skip_rows"),
    "header": ("data", "header"),
    "na": ("data", "na"),
    "time": ("data", "time"),
    "time_format": ("data", "time_format"),
    "time_zone": ("data", "time_zone"),
    "duplicates": ("data", "duplicates"),
    "series": ("data", "series"),
    "feature": ("data", "features"),
    "target": ("data", "targets"),
    "ahead": ("data", "ahead"),
    "calendar": ("data", "calendar"),
    "labels": ("data", "labels"),
    "classes": ("data", "classes"),
    "cap": ("data", "cap"),
    "drift": ("data", "drift"),
    "unit": ("data", "units"),
    "missing": ("data", "missing"),
    "max_gap": ("data", "max_gap"),
    "resample": ("data", "resample"),
    "season": ("data", "season"),
    "border": ("split", "borders"),
    "validation_file": ("split", "validation_path"),
    "test_file": ("split", "test_path"),
    "groups": ("split", "groups"),
    "group": ("split", "group"),
    "validation_group": ("split", "validation_groups"),
    "test_group": ("split", "test_groups"),
    "overlap": ("split", "overlap"),
    "window": ("window", "steps"),
    "horizon": ("window", "horizon"),
    "stride": ("window", "stride"),
    "quantile": ("window", "quantiles"),
    "hidden_size": ("network", "hidden_size"),
    "num_layers": ("network", "num_layers"),
    "bidirectional": ("network", "bidirectional"),
    "pooling": ("network", "pooling"),
    "segment": ("network", "segment"),
    "shared": ("network", "shared"),
    "layer_norm": ("network", "layer_norm"),
    "embedding_size": ("network", "embedding_size"),
    "head_size": ("network", "head_size"),
    "dropout": ("network", "dropout"),
    "input_dropout": ("network", "input_dropout"),
    "input_noise": ("network", "input_noise"),
    "scaling": ("network", "scaling"),
    "start": ("network", "start"),
    "state": ("network", "state"),
    "epochs": ("training", "epochs"),
    "epoch_windows": ("training", "epoch_windows"),
    "time_limit": ("training", "time_limit"),
    "batch_size": ("training", "batch_size"),
    "loss": ("training", "loss"),
    "class_weights": ("training", "class_weights"),
    "label_smoothing": ("training", "label_smoothing"),
    "initialization": ("training", "initialization"),
    "optimizer": ("training", "optimizer"),
    "learning_rate": ("training", "learning_rate"),
    "schedule": ("training", "schedule"),
    "weight_decay": ("training", "weight_decay"),
    "gradient_clip": ("training", "gradient_clip"),
    "average": ("training", "average"),
    "precision": ("training", "precision"),
    "patience": ("training", "patience"),
    "threads": ("training", "threads"),
    "seed": ("training", "seed"),
}

_DATA, _NETWORK, _TRAINING = "Data and split", "Network", "Training"


def train(
    data: Annotated[str | None, typer.Argument(help="A CSV, Parquet, .ts or C-MAPSS file, or builtin:co2.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The run directory. [runs/NAME]")] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe (TOML); the options below win over it.")] = None,
    show_recipe: Annotated[
        bool, typer.Option("--show-recipe", help="Print the whole recipe, options included, and train nothing.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training in --output.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --output.")] = False,
    name: Annotated[str | None, typer.Option(help="Of the run and its files. [the data's name]")] = None,
    task: Annotated[str | None, typer.Option(help="forecast, classify, label. [forecast]")] = None,
    format: Annotated[str | None, typer.Option(help="csv, parquet, ts, cmapss. [by the file's ending]")] = None,  # noqa: A002
    delimiter: Annotated[str | None, typer.Option(help="Between fields: , ; | tab blank. [found out]")] = None,
    decimal: Annotated[str | None, typer.Option(help="The decimal sign, . or ,. [found out]")] = None,
    encoding: Annotated[str | None, typer.Option(help="utf-8, utf-16, latin-1. [found out]")] = None,
    skip_rows: Annotated[int | None, typer.Option(help="Lines in front of the header. [found out]")] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="The first line names the columns. [found out]")
    ] = None,
    na: Annotated[list[str] | None, typer.Option(help="A missing value, such as -200; repeatable.")] = None,
    time: Annotated[list[str] | None, typer.Option(help="Column of timestamps; several make one.")] = None,
    time_format: Annotated[str | None, typer.Option(help="Of the timestamps, as strptime has it. [found out]")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Of the timestamps: Europe/Berlin. [UTC]")] = None,
    duplicates: Annotated[
        str | None, typer.Option(help="Different rows of one time: error, first, last, mean. [error]")
    ] = None,
    series: Annotated[str | None, typer.Option(help="Column that tells series apart.")] = None,
    feature: Annotated[list[str] | None, typer.Option(help="Input column; repeatable. [the targets]")] = None,
    target: Annotated[list[str] | None, typer.Option(help="Column to forecast or label; repeatable.")] = None,
    ahead: Annotated[list[str] | None, typer.Option(help="Feature known a horizon ahead; repeatable.")] = None,
    calendar: Annotated[
        list[str] | None, typer.Option(help="hour, weekday, yearday: from the timestamps, in the graph; repeatable.")
    ] = None,
    labels: Annotated[str | None, typer.Option(help="To classify: a table with the class of each file.")] = None,
    classes: Annotated[bool | None, typer.Option("--classes", help="Label classes, not numbers.")] = None,
    cap: Annotated[float | None, typer.Option(help="Labels above it count as it.")] = None,
    drift: Annotated[
        list[str] | None, typer.Option(help="How far training shifts a feature, CO2=3 deviations; repeatable.")
    ] = None,
    unit: Annotated[list[str] | None, typer.Option(help="Unit of a column, co2=ppm; repeatable.")] = None,
    missing: Annotated[str | None, typer.Option(help="Gaps: interpolate, forward, drop, error. [interpolate]")] = None,
    max_gap: Annotated[int | None, typer.Option(help="Most samples in a row to fill. [by the season]")] = None,
    resample: Annotated[str | None, typer.Option(help="Average into bins: 10m, 1h, 1d, 1w, 1mo, 1q, 1y.")] = None,
    season: Annotated[int | None, typer.Option(help="Samples in a season. [by the calendar and the data]")] = None,
    split: Annotated[str | None, typer.Option(help="Training, validation, test. [0.7,0.15,0.15]")] = None,
    border: Annotated[list[str] | None, typer.Option(help="Row or date where a part ends; repeatable.")] = None,
    validation_file: Annotated[str | None, typer.Option(help="A file of its own for validation.")] = None,
    test_file: Annotated[list[str] | None, typer.Option(help="A file of its own for test; repeatable.")] = None,
    groups: Annotated[str | None, typer.Option(help="A table with the group of each file or series.")] = None,
    group: Annotated[str | None, typer.Option(help="Its column of groups. [group]")] = None,
    validation_group: Annotated[list[str] | None, typer.Option(help="Hold it out; repeatable.")] = None,
    test_group: Annotated[list[str] | None, typer.Option(help="Hold it out for test; repeatable.")] = None,
    overlap: Annotated[bool | None, typer.Option(help="Evaluation windows may reach back. [of forecasts]")] = None,
    window: Annotated[int | None, typer.Option(help="Samples in a window. [by the season]")] = None,
    horizon: Annotated[int | None, typer.Option(help="Samples to forecast at once. [1]")] = None,
    stride: Annotated[int | None, typer.Option(help="Samples from one window to the next. [1]")] = None,
    quantile: Annotated[list[float] | None, typer.Option(help="Forecast it, such as 0.1; repeatable.")] = None,
    hidden_size: Annotated[int | None, typer.Option(help="Units of each LSTM layer. [32 or 64]")] = None,
    num_layers: Annotated[int | None, typer.Option(help="Stacked LSTM layers. [1]")] = None,
    bidirectional: Annotated[bool | None, typer.Option("--bidirectional", help="Layers run backwards too.")] = None,
    pooling: Annotated[str | None, typer.Option(help="The step that answers: last, or the mean of all. [last]")] = None,
    segment: Annotated[int | None, typer.Option(help="Samples that one step eats. [by window and season]")] = None,
    shared: Annotated[bool | None, typer.Option("--shared", help="Channels share one network.")] = None,
    layer_norm: Annotated[bool | None, typer.Option("--layer-norm", help="Normalize behind each layer.")] = None,
    embedding_size: Annotated[
        int | None, typer.Option(help="Linear layer with ReLU in front of the LSTM. [0: none]")
    ] = None,
    head_size: Annotated[int | None, typer.Option(help="Linear layer with ReLU before the head. [0: none]")] = None,
    dropout: Annotated[float | None, typer.Option(help="Between layers and before the head. [by the task]")] = None,
    input_dropout: Annotated[float | None, typer.Option(help="Of whole input channels. [0]")] = None,
    input_noise: Annotated[float | None, typer.Option(help="Added to scaled inputs in training. [0]")] = None,
    scaling: Annotated[
        str | None, typer.Option(help="standard, minmax, none, relative, instance. [by the data]")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="The line it begins with: auto, none, persistence, seasonal, ridge. [auto]")
    ] = None,
    state: Annotated[
        str | None, typer.Option(help="window, or carried: may be stepped on. [window; of labels: carried]")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training windows. [by their number]")] = None,
    epoch_windows: Annotated[int | None, typer.Option(help="Windows drawn for an epoch. [all, of many fewer]")] = None,
    time_limit: Annotated[
        str | None, typer.Option(help="Of the training: 90s, 10m, 2h. [10m, none with --epochs]")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Windows in a batch. [by their number]")] = None,
    loss: Annotated[str | None, typer.Option(help="mse, mae, huber; pinball; cross-entropy. [the first]")] = None,
    class_weights: Annotated[str | None, typer.Option(help="balanced: rare classes weigh more. [none]")] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="Of cross-entropy. [0]")] = None,
    initialization: Annotated[
        str | None, typer.Option(help="Of the weights: orthogonal, uniform. [orthogonal]")
    ] = None,
    optimizer: Annotated[str | None, typer.Option(help="adam, adamw, sgd. [adamw]")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="At its highest. [by the task]")] = None,
    schedule: Annotated[str | None, typer.Option(help="constant, cosine, one-cycle. [by the task]")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="[0]")] = None,
    gradient_clip: Annotated[float | None, typer.Option(help="Largest gradient norm, 0: none. [1]")] = None,
    average: Annotated[
        float | None, typer.Option(help="Decay of averaged weights, 0.99; 0: none. [by the task]")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="bf16 or fp16 on a GPU. [fp32]")] = None,
    patience: Annotated[int | None, typer.Option(help="Epochs without progress before stopping. [none]")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads. [1 for a small network]")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random. [0]")] = None,
    quantization_aware: Annotated[
        bool, typer.Option("--quantization-aware", help="Then fine-tune for its int8 file, as `finetune` does.")
    ] = False,
) -> None:
    """Train an LSTM on a table and write a run directory."""
    given = {key: value for key, value in locals().items() if key in _KEYS and value not in (None, [])}
    flags = _flags(given, split, recipe)
    if quantization_aware:
        flags["quantization"] = {}  # with what the recipe says there
    if show_recipe:
        print(_whole_recipe(recipe, flags), end="")
        return
    if resume and overwrite:
        raise RecipeError("--resume goes on with a training, --overwrite begins it anew: give one of them")
    _show(lambda: _resume(output, recipe, flags) if resume else _begin(output, recipe, flags, overwrite))


def finetune(
    run: Annotated[Path, typer.Argument(help="A run directory; stays as it is.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The new run. [RUN-int8]")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --output.")] = False,
    quantize: Annotated[str | None, typer.Option(help="The file to train for: int8, int8w. [int8]")] = None,
    per_tensor: Annotated[bool, typer.Option("--per-tensor", help="One int8 scale for a whole tensor.")] = False,
    clip: Annotated[str | None, typer.Option(help="Range of the int8 weights: none, percentile, mse. [none]")] = None,
    head: Annotated[str | None, typer.Option(help="Layers behind the LSTM: int8, fp32. [int8]")] = None,
    epochs: Annotated[int | None, typer.Option(help="Further passes over the training windows. [8]")] = None,
    learning_rate_factor: Annotated[
        float | None, typer.Option(help="Times the learning rate of the training. [0.2]")
    ] = None,
) -> None:
    """Train a run on, simulating its int8 file, so that the file loses less."""
    from edgelstm.train import finetune as finetune_run

    given = {
        "precision": quantize,
        "per_channel": False if per_tensor else None,
        "clip": clip,
        "head": head,
        "epochs": epochs,
        "learning_rate_factor": learning_rate_factor,
    }
    options = {key: value for key, value in given.items() if value is not None}
    _show(lambda: finetune_run(run, output, overwrite=overwrite, **options))


def _show(train: Callable[[], Fitted]) -> None:
    """Train and print what came out; Ctrl-C ends it with its own exit status."""
    try:
        fitted = train()
    except KeyboardInterrupt:
        print("stopped before an epoch had ended: nothing was kept", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    show_fitted(fitted)
    if fitted.interrupted:
        print(
            "interrupted; the best weights until then were kept, "
            f"`edgelstm train --resume --output {fitted.run.path}` goes on",
            file=sys.stderr,
        )
        raise typer.Exit(INTERRUPTED)


def show_fitted(fitted: Fitted) -> None:
    """Print what came out, and where it lies."""
    print(f"trained {len(fitted.problem.training):,} {_unit(fitted)} in {fitted.seconds:.1f} s, {_kept(fitted)}")
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
        return f"kept epoch {best}" + (f", and {gain:.0%} of what its LSTM says beside the start" if gain != 1 else "")
    began = "the weights it began with" if fitted.start is None else "the line it began with"
    return f"no epoch was better than {began}: kept {'those' if fitted.start is None else 'that'}"


def _advice(fitted: Fitted) -> list[str]:
    """Say what a person may do next about the training: more epochs, more time, or ship the line."""
    trained, training = fitted.trained, fitted.recipe.training
    done = len(trained.history)
    if trained.out_of_time:
        return [
            f"stopped after {done} of {training.epochs} epochs, at the limit of {training.time_limit}: --time-limit"
        ]
    if fitted.problem.validation is not None and 1 < done == trained.best_epoch and not trained.interrupted:
        return [f"the last epoch was the best: more may do better, --epochs {2 * done}"]
    return []


def scores_table(fitted: Fitted) -> str:
    """Lay the network beside its baselines on each held-out part: the figures that its kind of answer has."""
    from edgelstm.data.scores.figures import figures_of

    parts, figures = fitted.evaluation.parts, figures_of(fitted.run.record.contract)
    headers = ["", *(f"{part.name} {figure.words}" for part in parts for figure in figures)]
    rows, labels = [], {"network": "LSTM", "quantized": f"LSTM as {_tuned_for(fitted)}"}
    for name in parts[0].scored:
        row = [labels.get(name, name)]
        row += [figure_words(part.scored[name].score, figure.key) for part in parts for figure in figures]
        rows.append(row)
    return table(headers, rows)


def _verdict(fitted: Fitted) -> str:
    """Say so where a straight line is as good as the network, on the last part."""
    from edgelstm.report.words import line_words

    words = line_words(fitted.evaluation.parts[-1], fitted.run.record.contract.metric)
    return words.replace("RUN", str(fitted.run.path))


def _unit(fitted: Fitted) -> str:
    return "windows" if fitted.problem.task == "forecast" else "series"


def _tuned_for(fitted: Fitted) -> str:
    tuned_for = fitted.run.record.tuned_for
    return tuned_for[0] if tuned_for else ""


def _whole_recipe(recipe: Path | None, flags: dict[str, dict[str, Any]]) -> str:
    from edgelstm.train import load_recipe, render_recipe

    return render_recipe(load_recipe(recipe, flags))


def _flags(given: dict[str, Any], split: str | None, recipe: Path | None) -> dict[str, dict[str, Any]]:
    """Sort the options that were given into the sections of a recipe."""
    flags: dict[str, dict[str, Any]] = {}
    for option, value in given.items():
        section, key = _KEYS[option]
        flags.setdefault(section, {})[key] = value
    if "unit" in given:
        flags["data"]["units"] = dict(_pair("--unit", "co2=ppm", unit) for unit in given["unit"])
    if "drift" in given:
        flags["data"]["drift"] = dict(_pair("--drift", "CO2=3", drift) for drift in given["drift"])
    if "border" in given:
        flags["split"]["borders"] = [int(b) if b.isdigit() else b for b in given["border"]]
    if split is not None:
        flags.setdefault("split", {}).update(_fractions(split))
    if "data" in given and "name" not in given and recipe is None:
        flags.setdefault("", {})["name"] = _name_of(given["data"])
    return flags


def _name_of(data: str) -> str:
    """Name a run after its data, with what a file name can hold."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(data.removeprefix("builtin:")).stem).strip("-._") or "lstm"


def _pair(option: str, example: str, text: str) -> tuple[str, str]:
    column, equals, value = text.partition("=")
    if not equals:
        raise RecipeError(f"{option}: expected COLUMN=VALUE such as {example}, got {text!r}")
    return column, value


def _fractions(text: str) -> dict[str, float]:
    try:
        training, validation, test = map(float, text.split(","))
    except ValueError as error:
        raise RecipeError(f"--split: expected three fractions such as 0.7,0.15,0.15, got {text!r}") from error
    return {"training": training, "validation": validation, "test": test}


def _begin(output: Path | None, recipe: Path | None, flags: dict[str, dict[str, Any]], overwrite: bool) -> Fitted:
    from edgelstm.train import fit_recipe, load_recipe

    asked = load_recipe(recipe, flags)
    return fit_recipe(asked, output or Path("runs") / asked.name, overwrite=overwrite)


def _resume(output: Path | None, recipe: Path | None, flags: dict[str, dict[str, Any]]) -> Fitted:
    """Go on with what lies in the folder; a recipe or options given as well must be the same as then."""
    from edgelstm.train import load_recipe, resume_recipe

    if recipe is None and flags and "data" not in flags:
        raise RecipeError("--resume goes on with the settings it began with: leave out the options, or give them all")
    asked = load_recipe(recipe, flags) if recipe or flags else None
    if output is None and asked is None:
        raise RecipeError("--resume: say which training to go on with: --output runs/NAME")
    return resume_recipe(output or Path("runs") / asked.name, asked)  # type: ignore[union-attr]
