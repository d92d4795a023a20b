"""Whether layers fit each other, and whether the weights are theirs."""

from __future__ import annotations

from collections import Counter

import numpy as np

from edgelstm.errors import NetworkError
from edgelstm.network.layers import (
    CYCLES,
    FINAL,
    FUNCTIONS,
    LAST,
    LSTM_FUNCTIONS,
    MEAN,
    Activation,
    Calendar,
    Embedding,
    Highway,
    Join,
    Layer,
    Lstm,
    Mask,
    Repeat,
    Rescale,
    Reverse,
    Segment,
    Standardize,
    Take,
    size_behind,
    sizes_of,
)
from edgelstm.network.network import Network, Weights


def check_network(network: Network, weights: Weights) -> None:
    """See that the layers fit each other and that the weights are theirs: every one, of its shape, finite.

    Args:
        network: its layers.
        weights: their tensors, by name.

    Raises:
        NetworkError: names the layer or the tensor, what was expected and what came.

    Example:
        >>> network = Network((Lstm("lstm", input_size=3, hidden_size=8), Take("last")))
        >>> check_network(network, {})
        Traceback (most recent call last):
        edgelstm.errors.NetworkError: the weights lack 'lstm.bias_hh_l0', which the network needs
    """
    alone = network.highway is not None and network.highway.alone
    if not network.lstms and not alone:
        raise NetworkError("expected a network with at least one LSTM, got none among its layers")
    for layer in network.layers:
        _check_layer(layer)
    _check_order(network)
    _check_mask(network)
    _check_segments(network)
    _check_calendar(network)
    _check_relative(network)
    _check_highway(network)
    _check_sizes(network)
    _check_weights(network, weights)
    _check_scaling(network, weights)


def _check_layer(layer: Layer) -> None:
    if isinstance(layer, Take) and layer.which not in (LAST, FINAL, MEAN):
        raise NetworkError(f"take: expected {LAST}, {FINAL} or {MEAN}, got {layer.which!r}")
    if isinstance(layer, Activation) and layer.function not in FUNCTIONS:
        raise NetworkError(f"activation: expected one of {', '.join(FUNCTIONS)}, got {layer.function!r}")
    if isinstance(layer, Repeat) and layer.steps < 1:
        raise NetworkError(f"repeat: expected at least 1 step, got {layer.steps}")
    if isinstance(layer, Segment) and layer.steps < 1:
        raise NetworkError(f"segment: expected at least 1 step, got {layer.steps}")
    if isinstance(layer, Highway) and layer.steps < 1:
        raise NetworkError(f"highway: expected at least 1 step, got {layer.steps}")
    if isinstance(layer, Join) and min(layer.channels, layer.values) < 1:
        raise NetworkError(f"join: expected at least 1 channel and 1 value, got {layer.channels} and {layer.values}")
    if isinstance(layer, Calendar) and not (set(layer.features) <= set(CYCLES) and _distinct(layer.features)):
        raise NetworkError(f"calendar: expected some of {', '.join(CYCLES)}, each once, got {layer.features}")
    if isinstance(layer, Mask) and not abs(layer.value) <= float(np.finfo(np.float32).max):
        raise NetworkError(f"mask: expected a finite float32 to look for, got {layer.value}")
    if isinstance(layer, Lstm):
        _check_lstm(layer)


def _distinct(names: tuple[str, ...]) -> bool:
    return 0 < len(names) == len(set(names))


def _check_lstm(lstm: Lstm) -> None:
    if not 1 <= lstm.num_layers <= 8:
        raise NetworkError(f"LSTM {lstm.name!r}: expected 1 to 8 layers, got {lstm.num_layers}")
    if lstm.hidden_size < 1 or not 0 <= lstm.proj_size < lstm.hidden_size:
        raise NetworkError(
            f"LSTM {lstm.name!r}: expected a hidden_size of at least 1 and a proj_size below it, got "
            f"{lstm.hidden_size} and {lstm.proj_size}"
        )
    if len(lstm.functions) != 3 or not set(lstm.functions) <= set(LSTM_FUNCTIONS):
        raise NetworkError(
            f"LSTM {lstm.name!r}: expected three functions of {', '.join(LSTM_FUNCTIONS)}, got {lstm.functions}"
        )


def _check_order(network: Network) -> None:
    """Follow whether there are steps."""
    steps = True
    for i, layer in enumerate(network.layers):
        place = f"layer {i + 1} ({layer.kind})"
        needs_steps = isinstance(layer, (Lstm, Take, Reverse, Mask, Embedding, Segment, Calendar))
        if needs_steps != steps and (needs_steps or isinstance(layer, (Repeat, Join))):
            raise NetworkError(f"{place}: expected {'a sequence' if needs_steps else 'one vector'} in front of it")
        if isinstance(layer, Embedding) and i > 0:
            raise NetworkError(f"{place}: an embedding must come first, it takes the tokens themselves")
        if isinstance(layer, Take) and layer.which == FINAL and not (i and isinstance(network.layers[i - 1], Lstm)):
            raise NetworkError(f"{place}: the {FINAL} state is an LSTM's, expected one right in front of it")
        steps = isinstance(layer, (Repeat, Join)) or (steps and not isinstance(layer, Take))


def _check_mask(network: Network) -> None:
    """What is skipped must be skipped by somebody, once, and must not be the step that all others are relative to."""
    masks = [i for i, layer in enumerate(network.layers) if isinstance(layer, Mask)]
    if not masks:
        return
    behind = next((layer for layer in network.layers[masks[0] :] if isinstance(layer, (Lstm, Take))), None)
    if not isinstance(behind, Lstm):
        raise NetworkError("mask: expected an LSTM behind it that skips the steps, got none")
    if len(masks) > 1:
        raise NetworkError(f"mask: expected one in a network, got {len(masks)}")
    if network.relative_inputs:
        raise NetworkError("mask: a step to skip cannot be told where all steps are relative to others")
    if any(isinstance(layer, Segment) for layer in network.layers):
        raise NetworkError(
            "mask: a segment may lie half in what is skipped; fill the gaps instead, or take no segments"
        )


def _check_segments(network: Network) -> None:
    """Channels that part come together again, as many as parted; a known number of steps is cut into whole segments."""
    apart, size, count = 0, network.input_size, 0
    for i, layer in enumerate(network.layers):
        place = f"layer {i + 1} ({layer.kind})"
        if isinstance(layer, Segment):
            if apart and layer.shared:
                raise NetworkError(f"{place}: the channels are apart already; expected a join in front of it")
            if count % layer.steps:
                raise NetworkError(f"{place}: expected a multiple of {layer.steps} steps in front of it, got {count}")
            apart, count = size if layer.shared else apart, count // layer.steps
        elif isinstance(layer, Join):
            _check_join(layer, place, apart, size)
            apart, count = 0, size // layer.values
        elif isinstance(layer, (Repeat, Take)):
            count = layer.steps if isinstance(layer, Repeat) else 0
        size = size_behind(layer, size)
    if apart:
        raise NetworkError("segment: expected a join behind it, where the channels that share a network come together")


def _check_join(join: Join, place: str, apart: int, size: int) -> None:
    if not apart:
        raise NetworkError(f"{place}: expected a shared segment in front of it, whose channels it joins")
    if join.channels != apart:
        raise NetworkError(
            f"{place}: expected {apart} channels, as many as in front of the segment, got {join.channels}"
        )
    if size % join.values:
        raise NetworkError(f"{place}: expected {join.values} values at each step in front of it, got {size} in all")


def _check_calendar(network: Network) -> None:
    for i, layer in enumerate(network.layers):
        if not isinstance(layer, Calendar):
            continue
        place = f"layer {i + 1} ({layer.kind})"
        if network.tokens:
            raise NetworkError(f"{place}: tokens have no times; leave it out")
        if any(not isinstance(in_front, Standardize) for in_front in network.layers[:i]):
            raise NetworkError(f"{place}: expected it first, or behind a standardize alone: it belongs to the inputs")


def _check_relative(network: Network) -> None:
    """What all is relative to is a channel of x, and has a way back."""
    if not all(0 <= channel < network.input_size for channel in network.relative_inputs):
        raise NetworkError(
            f"relative_inputs: expected channels from 0 to {network.input_size - 1}, got {network.relative_inputs}"
        )
    if network.relative_inputs and network.tokens:
        raise NetworkError("relative_inputs: tokens have no last value to be relative to")
    if network.instance and not network.relative_inputs:
        raise NetworkError("instance: expected relative_inputs, which tell where each output goes back to; got none")
    if network.instance and not isinstance(network.layers[0], Standardize):
        raise NetworkError(
            f"instance: expected a standardize as the first layer, by the training deviations, got "
            f"{network.layers[0].kind}"
        )


def _check_highway(network: Network) -> None:
    """It reads what the leading standardize gives, and adds to the last numbers in front of the way back."""
    places = [i for i, layer in enumerate(network.layers) if isinstance(layer, Highway)]
    if len(places) > 1:
        raise NetworkError(f"highway: expected one in a network, got {len(places)}")
    if network.highway is None:
        return
    (i,) = places
    place, in_front, behind = f"layer {i + 1} (highway)", network.layers[:i], network.layers[i + 1 : i + 2]
    if not (in_front and isinstance(in_front[0], Standardize)):
        raise NetworkError(f"{place}: expected a standardize as the first layer, whose values it reads")
    if behind and not isinstance(behind[0], (Rescale, Join)) and behind[0] != Activation("softmax"):
        raise NetworkError(
            f"{place}: expected a rescale, a join, the softmax of classes or nothing behind it, got {behind[0].kind}"
        )
    foreign = next((layer.kind for layer in in_front if isinstance(layer, (Mask, Repeat, Reverse, Join))), None)
    if foreign is not None:
        raise NetworkError(f"{place}: reads the samples as they come; expected no {foreign} in front of it")
    if network.highway.alone:
        _check_alone(in_front, place)
    _check_reach(network, network.highway, in_front, place)


def _check_alone(in_front: tuple[Layer, ...], place: str) -> None:
    """A network of this layer alone has nothing in front of it but what tells which samples it reads."""
    ways = ((), (Take(LAST),), (Segment(1, True), Take(LAST)))
    if in_front[1:] not in ways:
        raise NetworkError(
            f"{place}: alone, expected between it and the standardize nothing, a take of the last step, or such a "
            f"take behind a shared segment of 1 step; got {', '.join(layer.kind for layer in in_front[1:])}"
        )


def _check_reach(network: Network, highway: Highway, in_front: tuple[Layer, ...], place: str) -> None:
    """See that it reads whole windows, whole channels of them, or single samples, as there is an answer for each."""
    apart = any(isinstance(layer, Segment) and layer.shared for layer in in_front)
    whole = any(isinstance(layer, Take) for layer in in_front)
    if not whole and (highway.steps > 1 or any(isinstance(layer, Segment) for layer in in_front)):
        raise NetworkError(
            f"{place}: where there is an answer at every step, it reads that sample alone: expected 1 step and no "
            f"segment, got {highway.steps} and {', '.join(layer.kind for layer in in_front)} in front of it"
        )
    inputs = 1 if apart else network.input_size
    if highway.in_features != inputs:
        raise NetworkError(
            f"{place}: expected {inputs} input(s) of each sample, the measured channels"
            f"{', each by itself' if apart else ''}; got {highway.in_features}"
        )
    join = next((layer for layer in network.layers if isinstance(layer, Join)), None)
    if apart and (join is None or join.channels != network.input_size):
        raise NetworkError(f"{place}: of shared channels it reads those of x: expected a join of {network.input_size}")


def _check_sizes(network: Network) -> None:
    """Follow the size of the last axis."""
    size = network.input_size
    for i, layer in enumerate(network.layers):
        sizes = sizes_of(layer)
        if sizes is None:
            size = size_behind(layer, size)
            continue
        place = f"layer {i + 1} ({layer.kind})"
        if min(sizes) < 1:
            raise NetworkError(
                f"{place}: expected sizes of at least 1, got {sizes.into} inputs and {sizes.out} outputs"
            )
        if sizes.into != size:
            raise NetworkError(f"{place}: expected {sizes.into} inputs, the layer in front gives {size}")
        size = sizes.out
    if network.input_size < 1:
        raise NetworkError(f"expected at least 1 input beside the calendar's features, got {network.input_size}")


def _check_weights(network: Network, weights: Weights) -> None:
    named = list(network.tensors())
    expected = dict(named)
    twice = [name for name, count in Counter(name for name, _ in named).items() if count > 1]
    if twice:
        raise NetworkError(f"{twice[0]!r} belongs to two layers; give each layer a name of its own")
    unknown, missing = sorted(weights.keys() - expected.keys()), sorted(expected.keys() - weights.keys())
    if missing:
        raise NetworkError(f"the weights lack {missing[0]!r}, which the network needs")
    if unknown:
        raise NetworkError(f"the weights hold {unknown[0]!r}, which no layer of the network has")
    for name, shape in expected.items():
        tensor = weights[name]
        if shape and tensor.shape != shape:
            raise NetworkError(f"{name}: expected shape {list(shape)}, got {list(tensor.shape)}")
        if tensor.dtype != np.float32:
            raise NetworkError(f"{name}: expected float32, got {tensor.dtype}")
        if not np.isfinite(tensor).all():
            raise NetworkError(f"{name}: holds NaN or infinity; these weights cannot be run")


def _check_scaling(network: Network, weights: Weights) -> None:
    """Scaling constants are as long as what they scale, whose size follows from the layers in front."""
    size = network.input_size
    for layer in network.layers:
        size = size_behind(layer, size)
        if isinstance(layer, Standardize):
            for name in (layer.offset, layer.factor):
                if weights[name].shape not in ((1,), (size,)):
                    raise NetworkError(f"{name}: expected shape [{size}] or [1], got {list(weights[name].shape)}")
        if isinstance(layer, Rescale):
            scale, offset = weights[layer.scale], weights[layer.offset]
            if scale.ndim != 1 or scale.shape != offset.shape or not scale.size or size % scale.size:
                raise NetworkError(
                    f"{layer.scale} and {layer.offset}: expected one number for each output, {size} or a whole part "
                    f"of it, got {list(scale.shape)} and {list(offset.shape)}"
                )
    _check_instance(network, weights)


def _check_instance(network: Network, weights: Weights) -> None:
    first, inputs = network.layers[0], sorted(set(network.relative_inputs))
    if not (network.instance and isinstance(first, Standardize)):
        return
    if np.resize(weights[first.offset], network.input_size)[inputs].any():
        raise NetworkError(
            f"{first.offset}: expected zeros at the channels {inputs}: their mean in each window is subtracted in "
            "front of it"
        )
