"""The folder of a training in progress: claim it, and find what a resume needs in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgelstm.errors import RunError, TrainingError
from edgelstm.files import write_whole
from edgelstm.recipe.recipe import Recipe
from edgelstm.run import RECIPE, RECORD

CHECKPOINTS = ("resume.ckpt", "finetune.ckpt")


def claim(directory: Path, record: dict[str, Any], overwrite: bool) -> None:
    """Start a run: remove the files of an older one, and store the recipe for a resume."""
    old = [path for path in (directory / name for name in (RECORD, *CHECKPOINTS)) if path.exists()]
    if old and not overwrite:
        unfinished = old[-1].name in CHECKPOINTS
        raise RunError(
            f"{directory}: {'a run' if old[0].name == RECORD else 'an unfinished training'} already exists there; give "
            f"another --output, or --overwrite{', or resume it with `edgelstm train --resume`' if unfinished else ''}"
        )
    for path in (*old, *(directory.glob("*.onnx") if overwrite else ())):  # files of old weights
        path.unlink()
    write_whole(directory / RECIPE, json.dumps(record, indent=1, sort_keys=True).encode() + b"\n")


def check_resumable(directory: Path, record: dict[str, Any]) -> None:
    """Check that the folder has an unfinished training with the same settings."""
    recorded = recorded_in(directory)
    if recorded != _as_known(recorded, json.loads(json.dumps(record))):
        raise TrainingError(
            f"{directory}: was started with other settings; give the same settings, or another --output"
        )
    if (directory / RECORD).exists() and not any((directory / name).exists() for name in CHECKPOINTS):
        raise TrainingError(f"{directory}: this training is finished; omit --resume, or start again with --overwrite")


def _as_known(recorded: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Remove from the settings the keys that an older version did not know when it wrote the record."""
    return {
        key: _as_known(recorded[key], value) if isinstance(value, dict) and isinstance(recorded[key], dict) else value
        for key, value in asked.items()
        if key in recorded
    }


def recorded_in(directory: Path) -> dict[str, Any]:
    """Read the recipe of a training in progress.

    Raises:
        TrainingError: it does not exist, or is damaged.
    """
    try:
        recorded: dict[str, Any] = json.loads((directory / RECIPE).read_text())
    except FileNotFoundError as error:
        raise TrainingError(f"{directory}: there is no training to resume; omit --resume") from error
    except ValueError as error:
        raise TrainingError(f"{directory / RECIPE}: damaged: {error}; start again with --overwrite") from error
    if not isinstance(recorded, dict):
        raise TrainingError(
            f"{directory / RECIPE}: damaged: expected a recipe, got {recorded!r}; start again with --overwrite"
        )
    return recorded


def first_difference(recorded: Recipe, asked: Recipe) -> str:
    """Name the first key in which a recipe differs from the recorded one; empty if there is none.

    A key that the recipe does not set was chosen by rule, so the recorded value is right.
    """
    wanted = asked.model_dump(mode="json")
    for section, values in recorded.model_dump(mode="json").items():
        other = wanted[section]
        if not (isinstance(values, dict) and isinstance(other, dict)):
            values, other = {"": values}, {"": other}
        for key, value in values.items():
            by_rule = other[key] is None and isinstance(wanted[section], dict)
            if value != other[key] and not by_rule:
                return f"{section}.{key} {value!r}, not {other[key]!r}".replace(". ", " ")
    return ""
