"""Files as training would have left them: drawn weights, and a contract that holds how a table was read."""

from __future__ import annotations

import numpy as np

from edgelstm.contract import FORMAT_VERSION, Channel, Contract, Provenance
from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.read import read
from edgelstm.export.graph import build_graph
from edgelstm.export.pack import pack
from edgelstm.network import Activation, Calendar, Linear, Lstm, Network, Take, carried_states
from edgelstm.runtime import Golden, ModelFile, Predictor, parse_model_file

WINDOW, HORIZON = 4, 3


def trained_on(table, file, asking, *, state="window", task="forecast", times=False, many=False, target=None):
    """Write the file of a network that was trained on a table; gives the predictor and what was found in the table."""
    found = read(table, asking)
    categories = {f"{column}={word}": (column, word) for column, words in found.categories.items() for word in words}
    inputs = tuple(
        Channel(name, None, "float32", None, column=categories.get(name, (None,))[0], category=_word(categories, name))
        for name in found.series[0].names
    )
    horizon = HORIZON if task == "forecast" else 1
    network = _network(len(inputs), horizon, state, task, times)
    rhythm = found.reading.rhythm
    contract = Contract(
        format_version=FORMAT_VERSION,
        name="travelled",
        task=task,
        precision="fp32",
        inputs=inputs,
        outputs=(Channel(target or inputs[0].name, None, "float32", None),),
        window=WINDOW,
        horizon=horizon,
        lengths=False,
        state=state,
        trained_state=state,
        states=carried_states(network) if state == "carried" else (),
        scaling="none",
        sample_period_s=None if rhythm is None else rhythm.period_s,
        quantization=None,
        fidelity=None,
        metrics=(),
        provenance=Provenance({}, None, "0" * 64, 0),
        times=times,
        reading=found.reading,
        many_series=many,
    )
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(0, 0.4, shape).astype(np.float32) for name, shape in network.tensors()}
    graph = build_graph(network, weights, contract)
    x = rng.normal(0, 1, (1, WINDOW, len(inputs))).astype(np.float32)
    moments = np.arange(WINDOW)[np.newaxis] * 60 if times else None
    draft = Golden(x, x, x, {}, None, moments)
    y = Predictor(ModelFile(graph.SerializeToString(), contract, draft, "")).predict(x, time_s=moments)
    limit = {"pypi": (1e-5,), "other": (1e-5,)}
    file.write_bytes(pack(graph, contract, Golden(x, y, y, limit, None, moments))[0])
    return Predictor(parse_model_file(file.read_bytes())), found


def asking(columns, targets=None, **more):
    """Ask for a table as `edgelstm train` does."""
    several = {
        key: (value,) if isinstance(value, str) else value for key, value in more.items() if key in ("time", "na")
    }
    return Asking(columns=tuple(columns), targets=tuple(targets or columns[:1]), **{**more, **several})


def _word(categories, name):
    return categories[name][1] if name in categories else None


def _network(inputs, horizon, state, task, times):
    front = (Calendar(("hour", "weekday")),) if times else ()
    width = inputs + 4 * bool(times)
    layers = [*front, Lstm("lstm", width, 4)]
    layers += [Take("last")] if state == "window" and task == "forecast" else []
    return Network((*layers, Linear("middle", 4, 4), Activation("gelu"), Linear("head", 4, horizon)))
