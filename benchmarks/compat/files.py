"""Small model files that together use everything a graph can hold, each in every precision.

Weights are random; other tests compare the answers of a file with oracles. Here it only has to compute the same
everywhere.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import ROOT
from edgelstm.contract import FORMAT_VERSION, PRECISIONS, Channel, Contract, Provenance, Quantization
from edgelstm.export import export_run
from edgelstm.export.graph import build_graph
from edgelstm.network import (
    FINAL,
    FUNCTIONS,
    LAST,
    MEAN,
    Activation,
    Embedding,
    Join,
    Layer,
    LayerNorm,
    Linear,
    Lstm,
    Mask,
    Network,
    Repeat,
    Rescale,
    Reverse,
    Segment,
    Standardize,
    Take,
    carried_states,
)
from edgelstm.run import RUN_FORMAT_VERSION, Run, RunRecord, pack_weights, write_run
from edgelstm.runtime import Golden, ModelFile, Predictor

T, F, H, K, C, TOKENS, G = 12, 3, 16, 4, 5, 20, 4
OUTPUTS = 2


class Case(NamedTuple):
    """A network and what its contract says about it.

    Attributes:
        layers: the layers of the network.
        task, state, lengths, relative, tokens: as in the contract.
        asked_state: of the exported file; None for the state it was trained for.
        quantization: how weights are rounded to int8.
        instance: relative to mean and deviation of the window.
    """

    layers: tuple[Layer, ...]
    task: str = "forecast"
    state: str = "window"
    lengths: bool = False
    relative: tuple[int, ...] = ()
    tokens: bool = False
    asked_state: str | None = None
    quantization: Quantization = Quantization()
    instance: bool = False


def lstm(size: int = F, **options: Any) -> Lstm:
    return Lstm(options.pop("name", "lstm"), size, H, **options)


def forecast(*between: Layer, size: int = H) -> tuple[Layer, ...]:
    """Put scaling around some layers, and a head after them."""
    head = Linear("head", size, K * OUTPUTS)
    return (Standardize("offset", "factor"), *between, head, Rescale("scale", "back"))


def classes(*layers: Layer, size: int = H) -> tuple[Layer, ...]:
    return (*layers, Linear("head", size, C), Activation("softmax"))


def with_functions(gates: str, cell: str, output: str) -> Case:
    return Case(forecast(lstm(functions=(gates, cell, output)), Take(LAST)))


def every_function() -> tuple[Layer, ...]:
    """Chain a layer of each function; softmax is last, because it hides differences."""
    between = [
        layer
        for i, function in enumerate(sorted(FUNCTIONS, key=lambda name: name == "softmax"))
        for layer in (Linear(f"between{i}", H, H, bias=i % 2 == 0), Activation(function))
    ]
    return forecast(lstm(), Take(LAST), *between)


CASES: dict[str, Case] = {
    "one-layer": Case(forecast(lstm(), Take(LAST))),
    "three-layers-no-bias": Case(forecast(lstm(num_layers=3, bias=False), Take(LAST))),
    "relative": Case(forecast(lstm(), Take(LAST)), relative=(2, 0)),
    "carried": Case(forecast(lstm(num_layers=2)), state="carried"),
    "carried-afterwards": Case(forecast(lstm(), Take(LAST)), asked_state="carried"),
    "carried-projected": Case(forecast(lstm(num_layers=2, proj_size=6), size=6), state="carried"),
    "lengths": Case(forecast(lstm(), Take(LAST)), lengths=True),
    "lengths-relative": Case(forecast(lstm(), Take(LAST)), lengths=True, relative=(0, 1)),
    "bidirectional-last": Case(forecast(lstm(bidirectional=True), Take(LAST), size=2 * H)),
    "bidirectional-final": Case(forecast(lstm(num_layers=2, bidirectional=True), Take(FINAL), size=2 * H)),
    "bidirectional-projected": Case(
        forecast(lstm(num_layers=2, bidirectional=True, proj_size=6), Take(FINAL), size=12)
    ),
    "projected": Case(forecast(lstm(num_layers=2, proj_size=6), Take(LAST), size=6)),
    "embedding-classes": Case(
        classes(Embedding("embedding", TOKENS, 7), lstm(7), Take(FINAL)), task="classify", tokens=True
    ),
    "embedding-classes-lengths": Case(
        classes(Embedding("embedding", TOKENS, 7), lstm(7, bidirectional=True), Take(LAST), size=2 * H),
        task="classify",
        tokens=True,
        lengths=True,
    ),
    "labels": Case((lstm(bidirectional=True), Linear("head", 2 * H, C), Activation("sigmoid")), task="label"),
    "labels-lengths": Case(classes(lstm(num_layers=2)), task="label", lengths=True),
    "mask": Case((Mask(0.0), lstm(), Take(LAST), Linear("head", H, K * OUTPUTS))),
    "mask-labels": Case(classes(Mask(0.0), lstm()), task="label"),
    "head-gelu": Case(forecast(lstm(), Take(LAST), Linear("wide", H, 24), Activation("gelu"), size=24)),
    "every-function": Case(every_function()),
    "lstm-relu": with_functions("sigmoid", "relu", "relu"),
    "lstm-hard-sigmoid": with_functions("hard_sigmoid", "tanh", "tanh"),
    "lstm-hard-sigmoid-keras2": with_functions("hard_sigmoid_keras2", "softsign", "linear"),
    "lstm-softplus-elu": with_functions("sigmoid", "elu", "softplus"),
    "encoder-decoder": Case(
        (*forecast(lstm(), Take(LAST))[:-2], Repeat(K), lstm(H, name="decoder"), Linear("head", H, OUTPUTS))
    ),
    "backwards": Case(forecast(Reverse(), lstm(), Take(LAST))),
    "segments": Case(forecast(Segment(3, shared=False), lstm(3 * F), Take(LAST))),
    "segments-shared": Case(
        (*(Linear("in", F, OUTPUTS), Segment(4, shared=True), lstm(4)), Take(LAST), Linear("head", H, K), Join(OUTPUTS))
    ),
    "layer-norm-mean": Case(forecast(lstm(), LayerNorm("norm", H), Take(MEAN))),
    "mean-lengths": Case(forecast(lstm(bidirectional=True), Take(MEAN), size=2 * H), lengths=True),
    "carried-layer-norm": Case(forecast(lstm(num_layers=2), LayerNorm("norm", H)), state="carried"),
    "instance": Case(forecast(lstm(), Take(LAST)), relative=(2, 0), instance=True),
    "instance-lengths": Case(forecast(lstm(), Take(LAST)), relative=(2, 0), instance=True, lengths=True),
    "per-tensor": Case(
        forecast(lstm(bidirectional=True), Take(FINAL), size=2 * H), quantization=Quantization(False, "mse", "fp32")
    ),
}


def model_files(folder: Path) -> list[Path]:
    """Build the small files with the onnxruntime of this environment, and put the committed ones beside them."""
    shutil.rmtree(folder, ignore_errors=True)
    build_files(folder)
    for file in ROOT.glob("models/*/*.onnx"):
        shutil.copy(file, folder)
    return sorted(folder.glob("*.onnx"))


def build_files(folder: Path) -> list[Path]:
    """Write every case in every precision and return the files; a refusal at export is an error."""
    files = []
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as run:
            write_run(make_run(name, case, Path(run)), {})
            precisions = [precision for precision in PRECISIONS if precision != "fp32"]
            options = {"quantization": case.quantization, "state": case.asked_state}
            exported = export_run(run, folder, precisions=precisions, **options)
        files += [file.path for file in exported.files]
    return files


def make_run(name: str, case: Case, path: Path) -> Run:
    """Draw weights and windows, and let the fp32 graph answer for the trained network."""
    rng = np.random.default_rng(sum(name.encode()))
    network = Network(case.layers, case.relative, case.instance)
    weights = draw_weights(rng, network)
    contract = make_contract(name, case, network, pack_weights(weights)[1])
    lengths = np.array([1, T, 5, T - 1], np.int64) if case.lengths else None
    x = draw_windows(rng, case)
    graph = build_graph(network, weights, contract).SerializeToString()
    draft = Golden(x, x, x, {}, lengths)
    predictor = Predictor(ModelFile(graph, contract, draft, ""))
    y = np.stack([predictor.predict(x[i], None if lengths is None else int(lengths[i])) for i in range(G)])
    record = RunRecord(RUN_FORMAT_VERSION, contract, network, {}, 0)
    return Run(path, record, weights, x, y, None, lengths)


def draw_weights(rng: np.random.Generator, network: Network) -> dict[str, Any]:
    constants = {
        "offset": rng.normal(size=F) if not network.instance else np.zeros(F),
        "factor": rng.uniform(0.5, 2, F),
        "scale": rng.uniform(0.5, 2, OUTPUTS),
        "back": rng.normal(size=OUTPUTS) if not network.relative_inputs else np.zeros(OUTPUTS),
    }
    weights = {}
    for name, shape in network.tensors():
        drawn = constants[name] if name in constants else rng.uniform(-1.7, 1.7, shape) / np.sqrt(shape[-1])
        weights[name] = drawn.astype(np.float32)
    return weights


def draw_windows(rng: np.random.Generator, case: Case) -> np.ndarray:
    if case.tokens:
        return rng.integers(0, TOKENS, (G, T))
    x = rng.normal(size=(G, T, F)).astype(np.float32)
    if any(isinstance(layer, Mask) for layer in case.layers):
        x[rng.random((G, T)) < 0.3] = 0
        x[-1] = 0  # a row that is masked completely
    return x


def make_contract(name: str, case: Case, network: Network, weights_sha256: str) -> Contract:
    tokens = (Channel("token", None, "int64", None, TOKENS),)
    inputs = tokens if case.tokens else tuple(Channel(f"x{i}", None, "float32", None) for i in range(F))
    outputs = tuple(Channel(f"y{i}", None, "float32", None) for i in range(OUTPUTS if case.task == "forecast" else C))
    return Contract(
        format_version=FORMAT_VERSION,
        name=name,
        task=case.task,
        precision="fp32",
        inputs=inputs,
        outputs=outputs,
        window=T,
        horizon=K if case.task == "forecast" else 1,
        lengths=case.lengths,
        state=case.state,
        trained_state=case.state,
        states=carried_states(network) if case.state == "carried" else (),
        scaling="instance" if case.instance else "relative" if case.relative else "standard",
        sample_period_s=None,
        quantization=None,
        fidelity=None,
        metrics=(),
        provenance=Provenance({}, None, weights_sha256, None),
        answer="class" if case.task == "classify" else "number",
    )
