"""Train a finished run further: for its int8 file on its own data, or an imported run on your data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgelstm.errors import RecipeError, TrainingError
from edgelstm.recipe.file import check_recipe, load_recipe
from edgelstm.recipe.recipe import Recipe
from edgelstm.run import Run, read_run
from edgelstm.train.fit import Fitted, fit_recipe
from edgelstm.train.imported import check_trainable


def finetune(
    directory: str | Path,
    output: str | Path | None = None,
    *,
    asked: Mapping[str, Mapping[str, Any]] | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Fitted:
    """Train a finished run further, into a new run with better weights.

    A run that was trained here learns the arithmetic of its int8 file on its training data, so that the file loses less
    accuracy. A run that was imported as a list of layers (from Keras, from a torch module, from bare weights) learns
    from your table: in float32, or with `precision` given, in the arithmetic of its int8 file. Inputs, outputs, window
    and scaling constants stay the same.

    The weights of the epoch with the best validation loss are kept; these may be the initial weights.
    `resume_recipe(output)` continues after a kill.

    Args:
        directory: a run directory; it is not changed.
        output: the new run; None for a folder next to the run, named after the precision: `runs/co2-int8`, in float32
            `runs/co2-tuned`.
        asked: keys of a recipe by section, for an imported run: `{"data": {"path": "mine.csv", "time": "date"},
            "training": {"epochs": 5}}`. Features and targets default to the columns that the run names; if given,
            they are in the order of its channels.
        overwrite: replace an existing run.
        **options: any key of a recipe's `[quantization]` except `start`, such as `precision="int8w"`, `epochs=8`.

    Returns:
        The new run and its scores; `"quantized"` is the score of its file.

    Raises:
        RunError: the run is missing, incomplete or damaged, or a run already exists in `output`.
        TrainingError: it has no table and none is given, or it cannot be trained here.
        DataError: the data is no longer the training data of the run, or does not fit its channels.
        RecipeError: an unknown option or value, or one that the run fixes.

    Example:
        >>> import tempfile
        >>> from edgelstm.train import load_recipe
        >>> flags = {"training": {"epochs": 1}, "window": {"steps": 52, "stride": 64}, "network": {"hidden_size": 4}}
        >>> folder = tempfile.mkdtemp() + "/co2"
        >>> _ = fit_recipe(load_recipe("models/co2/recipe.toml", flags), folder)
        >>> finetune(folder, epochs=1).run.path.name
        'co2-int8'
    """
    run = read_run(directory)
    recipe = _on_its_data(run, options) if asked is None else _on_other_data(run, asked, options)
    precision = "tuned" if recipe.quantization is None else recipe.quantization.precision
    folder = run.path.with_name(f"{run.path.absolute().name}-{precision}") if output is None else Path(output)
    if folder.absolute() == run.path.absolute():
        raise RecipeError(f"{folder}: a run cannot overwrite the run it starts from; give another --output")
    return fit_recipe(recipe, folder, overwrite=overwrite)


def _on_its_data(run: Run, options: dict[str, Any]) -> Recipe:
    """Build the recipe from the run's own, and the file to simulate."""
    recorded = run.record.recipe
    if not isinstance(recorded, dict) or "training" not in recorded:
        check_trainable(run)
        raise TrainingError(f"{run.path}: is an imported run without data; give a table with --data")
    if "split" not in recorded:
        raise TrainingError(
            f"{run.path}: was trained on arrays, not a table; call edgelstm.train.fit with your arrays and "
            f"quantization={{'start': '{run.path}'}}"
        )
    return check_recipe({**recorded, "quantization": {**options, "start": str(run.path.absolute())}}, "finetune")


def _on_other_data(run: Run, asked: Mapping[str, Mapping[str, Any]], options: dict[str, Any]) -> Recipe:
    """Build the recipe for the layers and weights of a run on another table."""
    contract, start = run.record.contract, str(run.path.absolute())
    sections: dict[str, dict[str, Any]] = {name: dict(values) for name, values in asked.items()}
    sections["network"] = {**sections.get("network", {}), "run": start, "start": "none"}
    sections[""] = {"name": contract.name, "task": contract.task, **sections.get("", {})}
    window = {"steps": contract.window, "horizon": contract.horizon}
    sections["window"] = {**window, **sections.get("window", {})}
    if contract.answer == "number":
        named = {"targets": [channel.name for channel in contract.outputs]}
        sections["data"] = {**named, **sections.get("data", {})}
    if options:
        sections["quantization"] = {**options, "start": start}
    return load_recipe(None, sections)
