"""The resume checkpoint: written atomically after every epoch, read when training resumes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import torch

from edgelstm.errors import OutputError, TrainingError
from edgelstm.train.networks.network import LstmNetwork
from edgelstm.train.problem import Problem

_FORM = "edgelstm_checkpoint"  # the key that identifies our files
_FROM_THE_START = "start again with --overwrite"


def digest(problem: Problem, begun_with: LstmNetwork | None) -> str:
    """Hash what the weights and their choice depend on: training and validation rows, and the initial weights.

    Args:
        problem: what to learn.
        begun_with: a network with given weights, on the CPU; None if the seed gives them.
    """
    hasher = hashlib.sha256()
    for tensor in begun_with.state_dict().values() if begun_with else ():
        hasher.update(tensor.numpy().tobytes())
    for examples in filter(None, (problem.training, problem.validation)):
        for name in ("x_rows", "x_starts", "y_rows", "y_starts", "starts", "lengths", "targets", "times"):
            rows = getattr(examples, name, None)
            hasher.update(b"" if rows is None else rows.tobytes())
    return hasher.hexdigest()


def save(path: Path, content: dict[str, Any], data: str) -> None:
    """Write a temporary file, then rename it.

    Args:
        path: of the checkpoint.
        content: types that `torch.load` reads without running code.
        data: digest of the training data.

    Raises:
        OutputError: it cannot be written; an older checkpoint is unchanged.
    """
    temporary = path.with_suffix(".part")
    try:
        with open(temporary, "wb") as file:  # given a path, torch turns a full disk into a RuntimeError
            torch.save({_FORM: 1, "data_sha256": data, **content}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)  # a full disk leaves a part of it
        kept = "--resume continues after the last saved epoch" if path.exists() else "no epoch was saved"
        raise OutputError(f"cannot write {path}: {error.strerror or error}; {kept}") from error


def load(path: Path, data: str) -> dict[str, Any]:
    """Read a checkpoint, and check that it belongs to the same data.

    Raises:
        TrainingError: it is damaged, from an older edgelstm, or from other data.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        older, recorded = "pytorch-lightning_version" in content, content.get("data_sha256")
        if not older:
            content[_FORM], content["best"], content["network"], content["optimizer"]
    except Exception as error:  # torch raises many types of errors
        raise TrainingError(f"{path}: is damaged, the training cannot resume; {_FROM_THE_START}") from error
    if older:
        raise TrainingError(
            f"{path}: was written by an older edgelstm; finish the training with that version, or {_FROM_THE_START}"
        )
    if recorded != data:
        raise TrainingError(
            f"{path}: this training was started on other data or from other weights; restore them, or {_FROM_THE_START}"
        )
    return content
