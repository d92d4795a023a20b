"""Networks drawn for the grid: any that a person could write down, with weights, scaling and windows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from hypothesis import strategies as st

from edgelstm.contract import FORMAT_VERSION, Channel, Contract, Provenance
from edgelstm.network import (
    CYCLES,
    LSTM_FUNCTIONS,
    Activation,
    Calendar,
    Embedding,
    Highway,
    Join,
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
    size_behind,
)
from edgelstm.runtime import Golden, ModelFile, Predictor

HEADS = ("relu", "gelu", "gelu_tanh", "tanh", "elu", "selu", "leaky_relu", "softplus", "softsign", "hard_sigmoid")
GATES = (
    "sigmoid",
    "hard_sigmoid",
    "hard_sigmoid_keras2",
    "tanh",
    "softsign",
)  # what is bounded: others let a state grow
TORCH = ("sigmoid", "tanh", "tanh")
MASKED = -1.0
NOTHING = Golden(*[np.zeros((1, 1, 1), np.float32)] * 3, {})


class Case(NamedTuple):
    """A network, what its file says, and a batch of windows, with the moment of each step where there is a calendar."""

    network: Network
    weights: dict[str, Any]
    contract: Contract
    x: Any
    lengths: Any
    time_s: Any = None

    def __repr__(self):
        said = (self.contract.task, self.contract.state, self.contract.horizon, len(self.contract.outputs))
        return f"{self.network}, {said}, x {self.x.shape}, lengths {self.lengths}"


def make_contract(network, task="forecast", *, outputs, inputs=1, tokens=None, window=5, horizon=1, **changes):
    """The least that a file must say about a network."""
    x = [Channel("x", None, "int64", None, tokens)] if tokens else []
    x = x or [Channel(f"x{i}", None, "float32", None) for i in range(inputs)]
    y = tuple(Channel(f"y{i}", None, "float32", None) for i in range(outputs))
    state, lengths = changes.get("state", "window"), changes.get("lengths", False)
    states = carried_states(network) if state == "carried" else ()
    what = (FORMAT_VERSION, "drawn", task, "fp32", tuple(x), y, window, horizon, lengths, state, "window", states)
    answer = "class" if task == "classify" else "number"
    return Contract(
        *what, "none", None, None, None, (), Provenance({}, None, "", None), answer, network.times and not tokens
    )


class Bare:
    """A graph in a plain session of onnxruntime, as any other client would run it."""

    def __init__(self, model, contract, **entries):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        for key, value in entries.items():
            options.add_session_config_entry(f"session.{key}", value)
        content = model.SerializeToString()
        self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.contract = contract

    def run_batch(self, x, lengths=None, time_s=None, states=None):
        return self.run(x, lengths, time_s, states)[0]

    def run(self, x, lengths=None, time_s=None, states=None):
        feeds = {"x": x, "lengths": lengths, "time_s": time_s}
        feeds = {name: value for name, value in feeds.items() if value is not None}
        for state in self.contract.states:
            shape = [len(x) if size == "B" else size for size in state.shape]
            feeds[state.input] = np.zeros(shape, np.float32) if states is None else states[state.input]
        y, *carried = self.session.run(None, feeds)
        return y, {state.input: value for state, value in zip(self.contract.states, carried, strict=True)}

    def stepped(self, x, time_s=None):
        answers, states = [], None
        for t in range(x.shape[1]):
            times = None if time_s is None else time_s[:, t : t + 1]
            y, states = self.run(x[:, t : t + 1], None, times, states)
            answers.append(y)
        return np.concatenate(answers, axis=1)


def load_graph(model, contract):
    """Open a graph as the runtime does."""
    return Predictor(ModelFile(model.SerializeToString(), contract, NOTHING, ""))


def make_weights(network, seed, inputs=1, outputs=1, spread=300, factors=(0.05, 20)):
    """As torch begins: uniform up to 1 / sqrt(H); scaling as of channels around -spread to spread."""
    rng = np.random.default_rng(seed)
    bounds = {lstm.name: lstm.hidden_size**-0.5 for lstm in network.lstms}
    sizes = {}
    for layer in network.layers:
        if layer.kind in ("standardize", "rescale"):
            size = inputs if layer.kind == "standardize" else outputs
            offset = np.full(size, 0 if network.relative_inputs else spread)
            if layer == network.layers[0] and network.relative_inputs:
                offset = np.where(np.isin(np.arange(size), network.relative_inputs), 0, spread)
            factor = layer.factor if layer.kind == "standardize" else layer.scale
            sizes |= {layer.offset: (-offset, offset, size), factor: (*factors, size)}
    weights = {}
    for name, shape in network.tensors():
        bound = bounds.get(name.split(".")[0]) or (shape[-1] if shape else 1) ** -0.5
        low, high, size = sizes.get(name, (-bound, bound, shape))
        weights[name] = rng.uniform(low, high, size).astype(np.float32)
    return weights | _beside_calendar(network, weights)


def _beside_calendar(network, weights):
    """What scales inputs and a calendar's features leaves the features as they are."""
    first, *behind = network.layers
    scalings = [layer for layer in behind if first.kind == "calendar" and layer.kind == "standardize"]
    return {
        name: np.append(weights[name], np.full(2 * len(first.features), value, np.float32))
        for layer in scalings[:1]
        for name, value in ((layer.offset, 0), (layer.factor, 1))
    }


@st.composite
def lstms(draw, name, inputs, most_layers=8, bidirectional=None):
    """Any LSTM, mostly with torch's functions."""
    hidden = draw(st.sampled_from((*range(1, 13), 40)))
    functions = TORCH
    if draw(st.integers(0, 3)) == 0:
        functions = tuple(draw(st.sampled_from(known)) for known in (GATES, LSTM_FUNCTIONS, LSTM_FUNCTIONS))
    return Lstm(
        name,
        inputs,
        hidden,
        draw(st.integers(1, most_layers if functions == TORCH else 2)),
        draw(st.booleans()) if bidirectional is None else bidirectional,
        draw(st.integers(0, hidden - 1)),
        draw(st.booleans()),
        functions,
    )


@st.composite
def heads(draw, size, outputs, task):
    """Linear or several of them, and what a class ends in."""
    layers = []
    for n in range(draw(st.integers(0, 2))):
        width = draw(st.integers(1, 8))
        layers += [Linear(f"dense{n}", size, width, draw(st.booleans())), Activation(draw(st.sampled_from(HEADS)))]
        size = width
    layers.append(Linear("head", size, outputs, draw(st.booleans())))
    if task != "forecast" and draw(st.booleans()):
        layers.append(Activation(draw(st.sampled_from(("softmax", "sigmoid")))))
    return layers


@st.composite
def cases(draw):
    """A network from front to back, with a batch of windows."""
    seed = draw(st.integers(0, 2**32 - 1))
    task = draw(st.sampled_from(("forecast", "classify", "label")))
    carried = draw(st.integers(0, 3)) == 0
    tokens = draw(st.sampled_from((None, None, 7)))
    segments = draw(st.sampled_from(("", "", "plain", "shared" if task == "forecast" else "plain")))
    segments = "" if tokens or carried or task == "label" else segments
    features = () if tokens else draw(st.sampled_from(((), (), ("hour",), ("weekday", "yearday"), tuple(CYCLES))))
    inputs, outputs = 1 if tokens else draw(st.integers(1, 4)), draw(st.integers(1, 3))
    horizon = draw(st.integers(1, 4)) if task == "forecast" else 1
    cut = draw(st.integers(1, 4)) if segments else 1
    batch, steps = draw(st.integers(1, 5)), draw(st.integers(1, 9 // cut)) * cut
    embedded = draw(st.integers(0, 5)) == 0
    values = draw(st.integers(1, 2))
    channels = 5 if embedded else inputs + 2 * len(features)
    if segments == "shared":
        outputs = channels * values
    scalings = ("none", "standard", "relative", "instance")
    past = not tokens and draw(st.integers(0, 2)) == 0  # a highway, where the rest allows one
    some = scalings[:2] if tokens or carried or task == "classify" else scalings
    scaling = draw(st.sampled_from(some[1:] if past else some))
    relative = tuple(int(draw(st.integers(0, inputs - 1))) for _ in range(outputs)) if scaling in scalings[2:] else ()
    valid = None
    skipping = draw(st.sampled_from(("", "", "lengths", "mask", "reverse"))) if not carried else ""
    if skipping == "mask" and (relative or tokens or features):
        skipping = "lengths"
    if (segments and skipping in ("mask", "lengths")) or (past and task != "label"):
        skipping = ""

    layers, size = [], inputs
    if tokens:
        size = draw(st.integers(1, 6))
        layers.append(Embedding("embedding", tokens, size))
    elif skipping == "mask":
        layers.append(Mask(MASKED))
    if scaling != "none" and not tokens:
        layers.append(Standardize("input_offset", "input_factor"))
    if features:
        layers.insert(draw(st.integers(0 if scaling != "instance" else 1, len(layers))), Calendar(features))
        size += 2 * len(features)
    if skipping == "reverse":
        layers.append(Reverse())
    if embedded:
        layers += [Linear("in", size, 5), Activation(draw(st.sampled_from(HEADS)))]
        size = 5
    if segments:
        layers.append(Segment(cut, segments == "shared"))
        size = size_behind(layers[-1], size)
    lstm = draw(lstms("lstm", size, bidirectional=False if carried else None))
    layers.append(lstm)
    size = lstm.output_size
    normed = draw(st.integers(0, 3)) == 0
    if normed:
        layers.append(LayerNorm("norm", size))
    if draw(st.integers(0, 5)) == 0:
        layers += [Activation(draw(st.sampled_from((*HEADS, "softmax")))), Linear("between", size, 4)]
        lstm = draw(lstms("second", 4, 2, bidirectional=False if carried else None))
        layers.append(lstm)
        size = lstm.output_size
        normed = False
    answers = horizon * (values if segments == "shared" else outputs)
    decodes = not carried and task == "forecast" and segments != "shared" and not past and draw(st.integers(0, 3)) == 0
    ends = ("last", "mean") if normed else ("last", "mean", "final")
    ends = ends if not carried else ("last", "final")[: 1 if normed else 2]
    if decodes:  # an encoder and a decoder
        third = draw(lstms("decoder", size, 2))
        layers += [Take(draw(st.sampled_from(ends))), Repeat(horizon), third]
        size, answers = third.output_size, outputs
    head = draw(heads(size, answers, task))
    if task != "label" and not decodes:
        which = draw(st.sampled_from(ends))
        place = draw(st.integers(0, len(head))) if which != "final" else 0
        head.insert(place, Take(which))
    layers += head
    reach = (1, inputs) if task == "label" else (steps, 1 if segments == "shared" else inputs)
    if past and highway_fits(layers, carried, skipping == "lengths", channels == inputs):
        place = len(layers) - (layers[-1] == Activation("softmax"))
        layers.insert(place, Highway("highway", *reach, answers))
    if segments == "shared":
        layers.append(Join(channels, values))
    if task == "forecast" and scaling != "none":
        layers.append(Rescale("output_scale", "output_offset"))

    network = Network(tuple(layers), relative, scaling == "instance")
    weights = make_weights(network, seed, inputs, outputs)
    state, lengths = "carried" if carried else "window", skipping == "lengths"
    contract = make_contract(
        network,
        task,
        outputs=outputs,
        inputs=inputs,
        tokens=tokens,
        window=steps,
        horizon=horizon,
        state=state,
        lengths=lengths,
    )
    rng = np.random.default_rng(seed + 1)
    x = _windows(rng, contract, weights, batch)
    if lengths:
        valid = rng.integers(1, steps + 1, batch)
        if not tokens:
            x[np.arange(steps) >= valid[:, np.newaxis]] = np.nan
    if skipping == "mask":
        x[rng.random((batch, steps)) < rng.random((batch, 1)) * 1.2] = MASKED
    return Case(network, weights, contract, x, valid, _times(rng, network, x))


def highway_fits(layers, carried, lengths, channels_of_x):
    """Whether a linear layer may lead past these layers to the numbers of the head."""
    kinds = [layer.kind for layer in layers]
    whole = "take" in kinds
    end = layers[-1].kind != "activation" or layers[-1].function == "softmax"
    apart = any(layer.kind == "segment" and layer.shared for layer in layers)
    changed = {"mask", "reverse", "repeat"} & set(kinds)
    return (
        kinds[0] == "standardize"
        and end
        and not changed
        and not (whole and (carried or lengths))
        and (channels_of_x or not apart)
    )


ALWAYS = ("linear", "activation", "standardize", "rescale", "layer_norm")
WITH_STEPS = ("lstm", "lstm", "lstm", "take", "reverse", "mask", "segment", *ALWAYS)
WITHOUT_STEPS = ("repeat", *ALWAYS)


@st.composite
def layer_lists(draw):
    """Layers in any order, which mostly fit each other, and a contract that mostly fits them."""
    inputs = draw(st.integers(1, 3))
    tokens = draw(st.sampled_from((None, None, None, 5)))
    layers, size, steps = ([Embedding("embedding", 5, 2)], 2, "T") if tokens else ([], inputs, "T")
    count, apart = draw(st.integers(1, 8)), 0
    first_lstm = draw(st.integers(0, count - 1))
    for n in range(count):
        strange = draw(st.integers(0, 30)) == 30
        fitting = ("join",) if apart and not steps else ("calendar", "calendar") if n == 0 and not tokens else ()
        fitting = ("join", "calendar") if strange else fitting
        kind = draw(st.sampled_from((*(WITH_STEPS if strange or steps else WITHOUT_STEPS), *fitting)))
        kind = "lstm" if n == first_lstm and steps else kind
        layers.append(draw(_layer(kind, f"{kind}{n}", size, apart)))
        apart = size if kind == "segment" and layers[-1].shared else 0 if kind == "join" else apart
        behind = size if kind == "join" else steps
        size = size_behind(layers[-1], size)
        steps = layers[-1].steps if kind == "repeat" else None if kind == "take" else behind
    window, join = draw(st.integers(1, 4)), []
    if apart and not strange:
        join = [Join(apart)]
        layers += [Take("mean")] if steps else []
    if draw(st.integers(0, 2)) == 0:  # past all that
        layers = layers if tokens else [Standardize("first.offset", "first.factor"), *layers]
        alone = draw(st.integers(0, 4)) == 0
        if alone:
            layers = [layers[0], *([Segment(1, True)] if join else []), *([] if steps == "T" else [Take("last")])]
        reach = window if steps != "T" or draw(st.integers(0, 9)) == 9 else 1
        layers.append(Highway("highway", reach, 1 if join else inputs, size, alone))
    if join:
        layers += join
        steps, size = size, apart
    task, outputs, horizon = "forecast", 1, size
    if steps == "T":
        task, outputs, horizon = "label", size, 1
    elif steps is None:
        task, outputs, horizon = draw(st.sampled_from((("forecast", 1, size), ("classify", size, 1))))
    else:
        task, outputs, horizon = "forecast", size, steps
    if draw(st.integers(0, 30)) == 30:
        task, outputs, horizon = "forecast", 2, 2
    relative = () if draw(st.integers(0, 5)) else (0,) * outputs
    network = Network(tuple(layers), relative, bool(relative) and draw(st.booleans()))
    state = draw(st.sampled_from(("window", "window", "window", "carried"))) if network.lstms else "window"
    lengths = state == "window" and draw(st.booleans())
    options = {"window": window, "horizon": horizon, "state": state, "lengths": lengths}
    contract = make_contract(network, task, outputs=outputs, inputs=inputs, tokens=tokens, **options)
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    x = _windows(rng, contract, {}, 3)
    if layers[0].kind == "mask":
        x[rng.random(x.shape[:2]) < 0.4] = MASKED
    valid = rng.integers(1, contract.window + 1, 3) if lengths else None
    weights = make_weights(network, seed, spread=1, factors=(0.5, 1.5))
    return Case(network, weights, contract, x, valid, _times(rng, network, x))


def _times(rng, network, x):
    """A clock that runs on from somewhere between 1938 and 2096, in steps of up to a day, for each row."""
    starts = rng.integers(-(10**9), 4 * 10**9, (len(x), 1))
    return starts + rng.integers(1, 86400) * np.arange(x.shape[1]) if network.times else None


def _layer(kind, name, size, apart):
    """One layer in front of which the last axis has `size` channels; `apart` of them share a network, or none."""
    return {
        "lstm": lstms(name, size, most_layers=2),
        "linear": st.booleans().map(lambda bias: Linear(name, size, 4, bias)),
        "activation": st.sampled_from(("relu", "gelu", "softmax", "tanh")).map(Activation),
        "take": st.sampled_from(("last", "last", "final")).map(Take),
        "repeat": st.integers(1, 3).map(Repeat),
        "reverse": st.just(Reverse()),
        "mask": st.just(Mask(MASKED)),
        "standardize": st.just(Standardize(f"{name}.offset", f"{name}.factor")),
        "rescale": st.just(Rescale(f"{name}.scale", f"{name}.offset")),
        "layer_norm": st.just(LayerNorm(name, size)),
        "segment": st.tuples(st.integers(1, 2), st.booleans()).map(lambda of: Segment(*of)),
        "join": st.just(Join(max(1, apart))),
        "calendar": st.sampled_from((("hour",), ("yearday", "weekday"))).map(Calendar),
    }[kind]


def _windows(rng, contract, weights, batch):
    if contract.tokens:
        return rng.integers(0, contract.inputs[0].categories, (batch, contract.window))
    x = rng.normal(size=(batch, contract.window, len(contract.inputs))).astype(np.float32)
    if "input_factor" in weights:
        factor, offset = (weights[name][: x.shape[2]] for name in ("input_factor", "input_offset"))
        x = (x / factor + offset).astype(np.float32)
    return x
