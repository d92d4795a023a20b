"""Fine-tune a finished run for an int8 file: a recipe like its own, beginning with its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgelstm.errors import RecipeError, TrainingError
from edgelstm.recipe.file import check_recipe
from edgelstm.recipe.sections import QuantizationRecipe
from edgelstm.run import read_run
from edgelstm.train.fit import Fitted, fit_recipe


def finetune(
    directory: str | Path, output: str | Path | None = None, *, overwrite: bool = False, **options: Any
) -> Fitted:
    """Train a finished run on, simulating its int8 file, so that the file loses less than the network would by itself.

    The weights of the epoch whose simulated file has the best validation loss are kept; that may be the weights it
    began with. `resume_recipe(output)` goes on after a kill.

    Args:
        directory: a run directory; stays as it is.
        output: where the new run goes; None for a folder beside it, called after the precision: `runs/co2-int8`.
        overwrite: replace a run that lies there.
        **options: any key of a recipe's `[quantization]` but `start`, such as `precision="int8w"`, `epochs=8`.

    Returns:
        The new run and its scores; `"quantized"` is what its file will score.

    Raises:
        RunError: the run is missing, incomplete or damaged, or one lies in `output` already.
        TrainingError: it was trained on arrays, or elsewhere: there is no table to read again.
        DataError: the data is no longer what it was trained on.
        RecipeError: an unknown option or value.

    Example:
        >>> import tempfile
        >>> from edgelstm.train import load_recipe
        >>> flags = {"training": {"epochs": 1}, "window": {"steps": 52, "stride": 64}, "network": {"hidden_size": 4}}
        >>> folder = tempfile.mkdtemp() + "/co2"
        >>> _ = fit_recipe(load_recipe("models/co2/recipe.toml", flags), folder)
        >>> finetune(folder, epochs=1).run.path.name
        'co2-int8'
    """
    directory = Path(directory)
    recorded = read_run(directory).record.recipe
    if not isinstance(recorded, dict) or "training" not in recorded:
        raise TrainingError(f"{directory}: was imported; expected a run that edgelstm trained, whose data is known")
    if "split" not in recorded:
        raise TrainingError(
            f"{directory}: was not trained on a table; give edgelstm.train.fit your arrays and "
            f"quantization={{'start': '{directory}'}}"
        )
    section = {**options, "start": str(directory.absolute())}
    recipe = check_recipe({**recorded, "quantization": section}, "finetune")
    precision = (recipe.quantization or QuantizationRecipe()).precision
    folder = directory.with_name(f"{directory.absolute().name}-{precision}") if output is None else Path(output)
    if folder.absolute() == directory.absolute():
        raise RecipeError(f"{folder}: a run cannot replace the one it begins with; give another --output")
    return fit_recipe(recipe, folder, overwrite=overwrite)
