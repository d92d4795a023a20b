"""A run directory: its record, weights, golden vectors and held-out part, written and read as a whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgelstm.arrays import Array
from edgelstm.contract import Contract, Quantization
from edgelstm.data.examples import Examples
from edgelstm.errors import ContractError, NetworkError, RunError
from edgelstm.files import write_all_whole
from edgelstm.network import Network, check_network
from edgelstm.run.heldout import pack_heldout, read_heldout
from edgelstm.run.tensors import Tensors, pack_tensors, read_tensors
from edgelstm.strict_json import StrictJsonError, decode, dumps, parse

RUN_FORMAT_VERSION = 4
RECORD, WEIGHTS, GOLDEN, HELDOUT = (
    "run.json",
    "network.safetensors",
    "golden.safetensors",
    "heldout.safetensors",
)
RECIPE, GRAPH = "recipe.json", "network.onnx"


@dataclass(frozen=True)
class RunRecord:
    """The content of `run.json`.

    Attributes:
        format_version: `RUN_FORMAT_VERSION` of the writer.
        contract: as far as training knows it; export completes it for each file.
        network: the layers; None for a foreign graph.
        recipe: all settings, as `edgelstm train` checked them.
        best_epoch: the epoch whose weights were kept, from 1; 0 if there was no training here.
    """

    format_version: int
    contract: Contract
    network: Network | None
    recipe: Any
    best_epoch: int

    @property
    def tuned_for(self) -> tuple[str, Quantization] | None:
        """The precision and the form of the file that the run was fine-tuned for; None for none."""
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
        golden_y: float32 [G, K, O], or the shape of the task and state; the answers of the trained network.
        heldout: the test windows, or the test series of the tasks to classify and to label; None without a test part.
        golden_lengths: int64 [G], the valid steps of each window; None where all are.
        graph: an ONNX model instead of weights; None for known layers.
        golden_times: int64 [G, T], UTC seconds of each sample; None if the network takes none.
    """

    path: Path
    record: RunRecord
    weights: dict[str, Array] = field(repr=False)
    golden_x: Array = field(repr=False)
    golden_y: Array = field(repr=False)
    heldout: Examples | None = field(repr=False)
    golden_lengths: Array | None = None
    graph: bytes | None = field(default=None, repr=False)
    golden_times: Array | None = None


def pack_weights(weights: dict[str, Array]) -> tuple[bytes, str]:
    """Serialize tensors as safetensors, and give their SHA-256 for the contract."""
    content = pack_tensors({name: weights[name] for name in sorted(weights)})
    return content, hashlib.sha256(content).hexdigest()


def graph_digest(graph: bytes) -> str:
    """Give the SHA-256 of a foreign graph, which the contract records instead of that of the weights."""
    return hashlib.sha256(graph).hexdigest()


def write_run(run: Run, extra: dict[str, bytes]) -> None:
    """Write a run directory, all of it or nothing.

    Args:
        run: what to write.
        extra: further files by name: metrics, plots.

    Raises:
        OutputError: the disk is full or the folder cannot be written.
    """
    golden = {"x": run.golden_x, "y": run.golden_y, "lengths": run.golden_lengths, "times": run.golden_times}
    weights = {WEIGHTS: pack_weights(run.weights)[0]} if run.graph is None else {GRAPH: run.graph}
    there = {name: array for name, array in golden.items() if array is not None}
    files = {**weights, GOLDEN: pack_tensors(there), **extra}
    if run.heldout is not None:
        files[HELDOUT] = pack_heldout(run.heldout)
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
    x, y, lengths, times = _read_golden(path / GOLDEN, record.contract)
    has_test = any(part.part == "test" for part in record.contract.metrics)
    heldout = read_heldout(path / HELDOUT, record.contract) if has_test else None
    return Run(path, record, weights, x, y, heldout, lengths, graph, times)


def _read_golden(path: Path, contract: Contract) -> tuple[Array, Array, Array | None, Array | None]:
    """Read x, y and, if the network takes them, lengths and times, and check them against the contract."""
    tensors, window = read_tensors(path), contract.window
    rows = len(tensors["x"]) if "x" in tensors and tensors["x"].ndim else 0
    expected: dict[str, tuple[tuple[int | str, ...], str]] = {
        "x": ((rows, window) if contract.tokens else (rows, window, len(contract.inputs)), contract.inputs[0].dtype),
        "y": (contract.answer_shape(rows, *((window,) if contract.every_step else ())), "float32"),
    }
    if contract.lengths:
        expected["lengths"] = (rows,), "int64"
    if contract.times:
        expected["times"] = (rows, window), "int64"
    for name, (shape, dtype) in expected.items():
        found = tensors.get(name)
        if found is None:
            raise RunError(f"{path}: the tensor {name!r} is missing; train again")
        if not rows or found.shape != shape or str(found.dtype) != dtype:
            got = f"{found.dtype} {list(found.shape)}"
            raise RunError(f"{path}: expected {name!r} as {dtype} {list(shape)}, got {got}; train again")
    left = sorted(tensors.keys() - expected.keys())
    if left:
        raise RunError(f"{path}: unexpected tensor {left[0]!r}; train again")
    return tensors["x"], tensors["y"], tensors.get("lengths"), tensors.get("times")


def _read_network(path: Path, record: RunRecord) -> tuple[Tensors, bytes | None]:
    """Read the weights, or the graph of a foreign network, and check them against the record."""
    if record.network is None:
        place, weights = path / GRAPH, {}
        try:
            graph = place.read_bytes()
        except OSError as error:
            raise RunError(f"{place}: cannot read: {error.strerror}; import the network again") from error
        digest = graph_digest(graph)
    else:
        place, graph = path / WEIGHTS, None
        weights = read_tensors(place)
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
        raise RunError(f"{path}: run directory not found")
    if not (path / RECORD).is_file():
        begun = (path / RECIPE).is_file()
        if begun:
            raise RunError(
                f"{path}: {RECORD} is missing, the training did not finish: "
                f"resume it with `edgelstm train --resume --output {path}`"
            )
        raise RunError(f"{path}: not a run directory, {RECORD} is missing")
    try:
        value = parse((path / RECORD).read_bytes())
        _check_version(path, value)
        return decode(RunRecord, value, "run")
    except (StrictJsonError, ContractError, UnicodeDecodeError) as error:
        raise RunError(f"{path / RECORD}: {error}; train again with this version of edgelstm") from error


def _check_version(path: Path, value: Any) -> None:
    """Check the version before anything else: another format has other keys."""
    version = value.get("format_version") if isinstance(value, dict) else None
    if type(version) is int and version != RUN_FORMAT_VERSION:
        raise RunError(
            f"{path / RECORD}: expected run format {RUN_FORMAT_VERSION}, got {version}; export with the edgelstm that "
            "trained it"
        )
