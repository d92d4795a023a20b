"""Small model files of every kind, built from drawn weights, without training."""

from __future__ import annotations

from functools import cache

import numpy as np

from edgelstm.contract import FORMAT_VERSION, Channel, Contract, Provenance, Quantization
from edgelstm.export.graph import build_graph
from edgelstm.export.pack import pack
from edgelstm.export.quantize import convert_graph
from edgelstm.network import Activation, Linear, Lstm, Network, Rescale, Standardize, Take, carried_states
from edgelstm.runtime import Golden, ModelFile, Predictor
from edgelstm.runtime.replay import golden_rows
from tests.runtime.timed import make_timed

STEPS, FEATURES, HORIZON, ROWS = 6, 2, 3, 2
NAMES = ("temperature", "pressure")
CLASSES = ("off", "on", "nobody knows")
LEVELS = (0.1, 0.5, 0.9)


def model_file(
    precision="fp32", state="window", lengths=False, hidden_size=4, relative=False, seed=0, kind="number", **lstm
):
    """The bytes of a model file of a drawn network; `kind` is `"number"`, `"quantile"`, `"class"` or `"label"`."""
    rng = np.random.default_rng(seed)
    network = _network(state, hidden_size, relative, kind, lstm)
    weights = {
        name: rng.normal(0, 0.4, shape or (len(_outputs(kind)) if "output" in name else FEATURES,)).astype(np.float32)
        for name, shape in network.tensors()
    }
    contract = _contract(precision, state, lengths, network, kind)
    graph = convert_graph(build_graph(network, weights, contract), precision, contract.quantization)
    x = rng.normal(0, 1, (ROWS, STEPS, FEATURES)).astype(np.float32)
    valid = np.array([STEPS, STEPS - 2], np.int64) if lengths else None
    draft = Golden(x, x, x, {}, valid)
    predictor = Predictor(ModelFile(graph.SerializeToString(), contract, draft, ""))
    y = np.stack([predictor.predict(*row) for row in golden_rows(draft)])
    limit = (1e-5 if precision != "int8" else 5e-3,) * len(contract.outputs)
    content, _ = pack(graph, contract, Golden(x, y, y, {"pypi": limit, "other": limit}, valid))
    return content


@cache
def all_kinds():
    """Name and bytes of one file of each kind."""
    files = {f"{precision}": model_file(precision) for precision in ("fp32", "int8", "int8w", "fp16")}
    files |= {f"carried {precision}": model_file(precision, "carried", num_layers=2) for precision in ("fp32", "int8")}
    files |= {f"lengths {precision}": model_file(precision, lengths=True) for precision in ("fp32", "int8")}
    files["bidirectional"] = model_file(bidirectional=True)
    files["bidirectional int8w with lengths"] = model_file("int8w", lengths=True, bidirectional=True)
    files["projection"] = model_file(proj_size=2)
    files["relative with lengths"] = model_file(relative=True, lengths=True)
    files["relu"] = model_file(functions=("hard_sigmoid", "relu", "softsign"))
    files["quantiles"] = model_file(kind="quantile")
    files["classes with lengths"] = model_file(kind="class", lengths=True)
    files["carried labels int8w"] = model_file("int8w", "carried", kind="label")
    files |= {f"times {state}": make_timed(state).content for state in ("window", "carried")}
    return files


def _network(state, hidden_size, relative, kind, lstm):
    stack = Lstm("lstm", FEATURES, hidden_size, **lstm)
    layers = [Standardize("input_offset", "input_factor"), stack]
    layers += [] if state == "carried" or kind == "label" else [Take("last")]
    layers += [Linear("middle", stack.output_size, 4), Activation("gelu")]
    if kind in ("class", "label"):
        return Network((*layers, Linear("head", 4, len(CLASSES)), Activation("softmax")))
    outputs = len(_outputs(kind))
    layers += [Linear("head", 4, HORIZON * outputs), Rescale("output_scale", "output_offset")]
    return Network(tuple(layers), (0, 1) if relative else ())


def _outputs(kind):
    if kind in ("class", "label"):
        return tuple(Channel(name, None, "float32", None, column="state") for name in CLASSES)
    if kind == "quantile":
        return tuple(
            Channel(f"{name} q{level}", None, "float32", None, quantile=level, column=name)
            for name in NAMES
            for level in LEVELS
        )
    return tuple(Channel(name, None, "float32", None) for name in NAMES)


def _contract(precision, state, lengths, network, kind):
    return Contract(
        format_version=FORMAT_VERSION,
        name="small",
        task={"class": "classify", "label": "label"}.get(kind, "forecast"),
        precision=precision,
        inputs=tuple(Channel(name, None, "float32", None) for name in NAMES),
        outputs=_outputs(kind),
        window=STEPS,
        horizon=1 if kind in ("class", "label") else HORIZON,
        lengths=lengths,
        state=state,
        trained_state=state,
        states=carried_states(network) if state == "carried" else (),
        scaling="relative" if network.relative_inputs else "standard",
        sample_period_s=60.0,
        quantization=Quantization() if precision in ("int8", "int8w") else None,
        fidelity=None,
        metrics=(),
        provenance=Provenance({}, None, "0" * 64, 0),
        answer={"label": "class"}.get(kind, kind),
    )
