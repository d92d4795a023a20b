"""The run directory: what training leaves behind, and all that export needs. Readable without torch.

| file | holds |
|---|---|
| `run.json` | the contract so far, the layers of the network, the recipe |
| `network.safetensors` | the named float32 tensors of the network, PyTorch's names and layouts |
| `network.onnx` | in its place, the graph of a foreign network that is no list of known layers |
| `golden.safetensors` | a few real windows and what the trained network answered |
| `heldout.safetensors` | the test windows, so that any file can be scored on them; absent without a test part |
| `metrics.json` | scores on validation and test, beside the baselines |
| `loss.csv` | the loss after each epoch |
| `*.png` | the loss curve and forecasts |
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract, Quantization
from edgelstm.data.windows import Windows
from edgelstm.errors import ContractError, NetworkError, RunError, require
from edgelstm.files import write_all_whole
from edgelstm.network import Network, check_network
from edgelstm.strict_json import StrictJsonError, decode, dumps, parse

RUN_FORMAT_VERSION = 2
RECORD, WEIGHTS, GOLDEN, HELDOUT = (
    "run.json",
    "network.safetensors",
    "golden.safetensors",
    "heldout.safetensors",
)
METRICS, RECIPE, GRAPH = "metrics.json", "recipe.json", "network.onnx"
GOLDEN_ROWS = 5
GOLDEN_BYTES = 32 * 2**10  # the vectors travel in every model file: inputs, and the answers of network and file

Array = NDArray[Any]


@dataclass(frozen=True)
class RunRecord:
    """The content of `run.json`.

    Attributes:
        format_version: `RUN_FORMAT_VERSION` of the writer.
        contract: as far as training knows it; export completes it for each file.
        network: what the weights are; None for a foreign graph.
        recipe: everything that was asked for, as `edgelstm train` checked it.
        best_epoch: the epoch whose weights were kept, from 1; 0 where nobody trained here.
    """

    format_version: int
    contract: Contract
    network: Network | None
    recipe: Any
    best_epoch: int

    @property
    def tuned_for(self) -> tuple[str, Quantization] | None:
        """The precision and the form of file that training was asked to fine-tune for; None for none."""
        section = self.recipe.get("quantization") if isinstance(self.recipe, dict) else None
        if not section:
            return None
        return section["precision"], Quantization(section["per_channel"], section["clip"], section["head"])


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        path: the run directory.
        record: `run.json`.
        weights: float32 tensors by their names in the network.
        golden_x: float32 [G, T, F], in physical units, or tokens int64 [G, T].
        golden_y: float32 [G, K, O], or shaped as the task and state answer; what the trained network answered.
        heldout: the test windows; None without a test part.
        golden_lengths: int64 [G], the valid steps of each window; None where all are.
        graph: an ONNX model in the place of weights; None for known layers.
    """

    path: Path
    record: RunRecord
    weights: dict[str, Array] = field(repr=False)
    golden_x: Array = field(repr=False)
    golden_y: Array = field(repr=False)
    heldout: Windows | None = field(repr=False)
    golden_lengths: Array | None = None
    graph: bytes | None = field(default=None, repr=False)


def pack_weights(weights: dict[str, Array]) -> tuple[bytes, str]:
    """Serialize tensors as safetensors and give their SHA-256, which the contract records."""
    content: bytes = _safetensors().save({name: np.ascontiguousarray(weights[name]) for name in sorted(weights)})
    return content, hashlib.sha256(content).hexdigest()


def graph_digest(graph: bytes) -> str:
    """SHA-256 of a foreign graph, which the contract records in the place of its weights'."""
    return hashlib.sha256(graph).hexdigest()


def spread_windows(windows: Windows, contract: Contract) -> NDArray[np.float32]:
    """Take a few windows for the golden vectors, spread over the part; fewer of long ones: float32 [G, T, F]."""
    rows = min(len(windows), golden_rows_of(contract))
    return windows.x(np.linspace(0, len(windows) - 1, rows).astype(np.int64))


def golden_rows_of(contract: Contract) -> int:
    """Tell how many golden windows a file of this contract takes: up to five, as their bytes allow, at least one."""
    answers = math.prod(map(int, contract.answer_shape(*((contract.window,) if contract.every_step else ()))))
    row_bytes = 4 * (contract.window * len(contract.inputs) + 2 * answers)
    return max(1, min(GOLDEN_ROWS, GOLDEN_BYTES // row_bytes))


def write_run(run: Run, extra: dict[str, bytes]) -> None:
    """Write a run directory, all of it or nothing.

    Args:
        run: what to write.
        extra: further files by name: metrics, plots.

    Raises:
        OutputError: the disk is full or the folder cannot be written.
    """
    golden = {"x": run.golden_x, "y": run.golden_y}
    if run.golden_lengths is not None:
        golden["lengths"] = run.golden_lengths
    weights = {WEIGHTS: pack_weights(run.weights)[0]} if run.graph is None else {GRAPH: run.graph}
    # safetensors writes an array in the order of its memory, and so a transposed one as another array.
    golden = {name: np.ascontiguousarray(array) for name, array in golden.items()}
    files = {**weights, GOLDEN: _safetensors().save(golden), **extra}
    if run.heldout is not None:
        files[HELDOUT] = _pack_windows(run.heldout)
    files[RECORD] = json.dumps(json.loads(dumps(run.record)), indent=1, ensure_ascii=False).encode() + b"\n"
    write_all_whole({run.path / name: content for name, content in files.items()})
    for left in {HELDOUT, WEIGHTS, GRAPH} - files.keys():  # by an older run
        (run.path / left).unlink(missing_ok=True)


def read_run(path: str | Path) -> Run:
    """Read a run directory.

    Raises:
        RunError: it is missing, incomplete or damaged.
        MissingDependencyError: safetensors is not installed.
    """
    path = Path(path)
    record = _read_record(path)
    weights, graph = _read_network(path, record)
    golden = _read_tensors(path / GOLDEN)
    has_test = any(part.part == "test" for part in record.contract.metrics)
    heldout = _read_windows(path / HELDOUT) if has_test else None
    try:
        return Run(path, record, weights, golden["x"], golden["y"], heldout, golden.get("lengths"), graph)
    except KeyError as error:
        raise RunError(f"{path / GOLDEN}: the tensor {error} is missing; train again") from error


def _read_network(path: Path, record: RunRecord) -> tuple[dict[str, Array], bytes | None]:
    """Read the weights, or the graph of a foreign network, and see that they are what the record describes."""
    if record.network is None:
        place, weights = path / GRAPH, {}
        try:
            graph = place.read_bytes()
        except OSError as error:
            raise RunError(f"{place}: cannot be read: {error.strerror}; import the network again") from error
        digest = graph_digest(graph)
    else:
        place, graph = path / WEIGHTS, None
        weights = _read_tensors(place)
        digest = pack_weights(weights)[1]
    if digest != record.contract.provenance.weights_sha256:
        raise RunError(f"{place}: these are not the weights that {RECORD} describes; train again")
    try:
        if record.network is not None:
            check_network(record.network, weights)
    except NetworkError as error:
        raise RunError(f"{place}: {error}") from error
    return weights, graph


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
