"""The run directory: what training leaves behind, and all that export needs. Readable without torch.

| file | holds |
|---|---|
| `run.json` | the contract so far, the shape of the network, the recipe |
| `network.safetensors` | the named float32 tensors of the network, PyTorch's names and layouts |
| `golden.safetensors` | a few real windows and what the trained network answered |
| `heldout.safetensors` | the test windows, so that any file can be scored on them; absent without a test part |
| `metrics.json` | scores on validation and test, beside the baselines |
| `loss.csv` | the loss after each epoch |
| `*.png` | the loss curve and forecasts |
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract, StateTensor
from edgelstm.data.windows import Windows
from edgelstm.errors import ContractError, RunError, require
from edgelstm.files import write_all_whole
from edgelstm.strict_json import StrictJsonError, decode, dumps, parse

RUN_FORMAT_VERSION = 1
RECORD, WEIGHTS, GOLDEN, HELDOUT = (
    "run.json",
    "network.safetensors",
    "golden.safetensors",
    "heldout.safetensors",
)
METRICS, RECIPE = "metrics.json", "recipe.json"

Array = NDArray[Any]


@dataclass(frozen=True)
class NetworkShape:
    """What the tensors of `network.safetensors` are.

    Attributes:
        input_size: F.
        hidden_size: H.
        num_layers: L, stacked as in `torch.nn.LSTM`.
        horizon: K.
        output_size: O.
        relative_inputs: the input channel whose last value is added to each output; empty unless the scaling
            is relative.
    """

    input_size: int
    hidden_size: int
    num_layers: int
    horizon: int
    output_size: int
    relative_inputs: tuple[int, ...]


@dataclass(frozen=True)
class RunRecord:
    """The content of `run.json`.

    Attributes:
        format_version: `RUN_FORMAT_VERSION` of the writer.
        contract: as far as training knows it; export completes it for each file.
        network: what the weights are.
        recipe: everything that was asked for, as `edgelstm train` checked it.
        best_epoch: the epoch whose weights were kept, from 1.
    """

    format_version: int
    contract: Contract
    network: NetworkShape
    recipe: Any
    best_epoch: int


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        path: the run directory.
        record: `run.json`.
        weights: float32 tensors by their names in the network.
        golden_x: float32 [G, T, F], in physical units.
        golden_y: float32 [G, K, O] (carried: [G, T, K, O]), what the trained network answered.
        heldout: the test windows; None without a test part.
    """

    path: Path
    record: RunRecord
    weights: dict[str, Array]
    golden_x: Array
    golden_y: Array
    heldout: Windows | None


def carried_states(shape: NetworkShape) -> tuple[StateTensor, ...]:
    """List the state tensors of a carried network: one h and one c for each LSTM layer, [D, B, H] with D = 1."""
    size = (1, "B", shape.hidden_size)
    return tuple(
        StateTensor(f"{name}{layer}", f"{name}{layer}_out", size, "float32")
        for layer in range(shape.num_layers)
        for name in ("h", "c")
    )


def pack_weights(weights: dict[str, Array]) -> tuple[bytes, str]:
    """Serialize tensors as safetensors and give their SHA-256, which the contract records."""
    content: bytes = _safetensors().save({name: np.ascontiguousarray(weights[name]) for name in sorted(weights)})
    return content, hashlib.sha256(content).hexdigest()


def write_run(run: Run, extra: dict[str, bytes]) -> None:
    """Write a run directory, all of it or nothing.

    Args:
        run: what to write.
        extra: further files by name: metrics, plots.

    Raises:
        OutputError: the disk is full or the folder cannot be written.
    """
    files = {
        WEIGHTS: pack_weights(run.weights)[0],
        GOLDEN: _safetensors().save({"x": run.golden_x, "y": run.golden_y}),
        **extra,
    }
    if run.heldout is not None:
        files[HELDOUT] = _pack_windows(run.heldout)
    files[RECORD] = json.dumps(json.loads(dumps(run.record)), indent=1, ensure_ascii=False).encode() + b"\n"
    write_all_whole({run.path / name: content for name, content in files.items()})
    if run.heldout is None:  # what an older run left
        (run.path / HELDOUT).unlink(missing_ok=True)


def read_run(path: str | Path) -> Run:
    """Read a run directory.

    Raises:
        RunError: it is missing, incomplete or damaged.
        MissingDependencyError: safetensors is not installed.
    """
    path = Path(path)
    record = _read_record(path)
    weights = _read_tensors(path / WEIGHTS)
    digest = pack_weights(weights)[1]
    if digest != record.contract.provenance.weights_sha256:
        raise RunError(f"{path / WEIGHTS}: these are not the weights that {RECORD} describes; train again")
    golden = _read_tensors(path / GOLDEN)
    has_test = any(part.part == "test" for part in record.contract.metrics)
    heldout = _read_windows(path / HELDOUT) if has_test else None
    try:
        return Run(path, record, weights, golden["x"], golden["y"], heldout)
    except KeyError as error:
        raise RunError(f"{path / GOLDEN}: the tensor {error} is missing; train again") from error


def _read_record(path: Path) -> RunRecord:
    if not path.is_dir():
        raise RunError(f"{path}: there is no such run directory")
    if not (path / RECORD).is_file():
        begun = (path / RECIPE).is_file()
        if begun:
            raise RunError(
                f"{path}: there is no {RECORD} in it, the training did not finish: "
                f"`edgelstm train --resume --output {path}` goes on with it"
            )
        raise RunError(f"{path}: this is no run directory, there is no {RECORD} in it")
    try:
        record = decode(RunRecord, parse((path / RECORD).read_bytes()), "run")
    except (StrictJsonError, ContractError, UnicodeDecodeError) as error:
        raise RunError(f"{path / RECORD}: {error}; train again with this version of edgelstm") from error
    if record.format_version != RUN_FORMAT_VERSION:
        raise RunError(
            f"{path / RECORD}: expected run format {RUN_FORMAT_VERSION}, got {record.format_version}; export with "
            "the edgelstm that trained it"
        )
    return record


def _read_tensors(path: Path) -> dict[str, Array]:
    try:
        tensors: dict[str, Array] = _safetensors().load(path.read_bytes())
    except FileNotFoundError as error:
        raise RunError(f"{path}: there is no such file; the run directory is incomplete, train again") from error
    except Exception as error:  # SafetensorError has no useful base
        raise RunError(f"{path}: damaged: {error}; train again") from error
    return tensors


def _pack_windows(windows: Windows) -> bytes:
    numbers = (windows.y_stride, windows.same_rows, windows.steps, windows.horizon, *windows.target_inputs)
    content: bytes = _safetensors().save(
        {
            "x_rows": np.ascontiguousarray(windows.x_rows),
            "x_starts": windows.x_starts,
            "y_rows": np.ascontiguousarray(windows.y_rows),
            "y_starts": windows.y_starts,
            "y_stride, same_rows, steps, horizon, target_inputs": np.array(numbers, np.int64),
        }
    )
    return content


def _read_windows(path: Path) -> Windows:
    tensors = _read_tensors(path)
    try:
        windows = _unpack_windows(tensors)
        windows.x(), windows.y()
    except (KeyError, ValueError, IndexError) as error:
        raise RunError(f"{path}: these tensors are no windows ({error!r}); train again") from error
    return windows


def _unpack_windows(tensors: dict[str, Array]) -> Windows:
    y_stride, same_rows, steps, horizon, *target_inputs = map(
        int, tensors["y_stride, same_rows, steps, horizon, target_inputs"]
    )
    return Windows(
        tensors["x_rows"],
        tensors["x_starts"],
        tensors["y_rows"],
        tensors["y_starts"],
        y_stride,
        bool(same_rows),
        steps,
        horizon,
        tuple(target_inputs),
    )


def _safetensors() -> ModuleType:
    return require("safetensors.numpy", "export")
