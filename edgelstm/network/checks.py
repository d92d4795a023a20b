"""Check that layers fit each other and that the weights belong to them; each class checks what its own kind needs."""

from __future__ import annotations

from collections import Counter

import numpy as np

from edgelstm.errors import NetworkError
from edgelstm.network.flow import Weights
from edgelstm.network.kind import Kind, Place, Shape
from edgelstm.network.network import Network
from edgelstm.network.steps import Mask


def check_network(network: Network, weights: Weights) -> None:
    """Check that the layers fit each other and that the weights are complete, of the right shapes, and finite.

    Args:
        network: its layers.
        weights: their tensors, by name.

    Raises:
        NetworkError: names the layer or the tensor, what was expected and what was found.

    Example:
        >>> from edgelstm.network import Lstm, Take
        >>> network = Network((Lstm("lstm", input_size=3, hidden_size=8), Take("last")))
        >>> check_network(network, {})
        Traceback (most recent call last):
        edgelstm.errors.NetworkError: the weights lack 'lstm.bias_hh_l0', which the network needs
    """
    alone = network.highway is not None and network.highway.alone
    if not network.lstms and not alone:
        raise NetworkError("expected a network with at least one LSTM, got none among its layers")
    for layer in network.layers:
        layer.check()
    _check_places(network)
    _check_relative(network)
    _check_weights(network, weights)
    _check_constants(network, weights)
    _check_instance(network, weights)


def _check_places(network: Network) -> None:
    """Follow the value from layer to layer: each layer must accept it, and must be allowed at its place."""
    shape = Shape(network.input_size)
    for i, layer in enumerate(network.layers):
        place = Place(layer, network.layers[:i], network.layers[i + 1 :], shape)
        if layer.takes not in ("", shape.form):
            raise NetworkError(f"{place}: expected {layer.takes} before it")
        layer.check_place(place)
        _check_sizes(layer, place)
        shape = layer.behind(shape)
    if shape.apart:
        raise NetworkError("segment: expected a join after it, to bring together the channels that share a network")
    if network.input_size < 1:
        raise NetworkError(f"expected at least 1 input besides the calendar features, got {network.input_size}")


def _check_sizes(layer: Kind, place: Place) -> None:
    if layer.sizes is None:
        return
    if min(layer.sizes) < 1:
        raise NetworkError(
            f"{place}: expected sizes of at least 1, got {layer.sizes.into} inputs and {layer.sizes.out} outputs"
        )
    if layer.sizes.into != place.shape.size:
        raise NetworkError(f"{place}: expected {layer.sizes.into} inputs, the layer before gives {place.shape.size}")


def _check_relative(network: Network) -> None:
    """Check that relative inputs are channels of x, and that the outputs can be scaled back."""
    if network.relative_inputs and network.of(Mask):
        raise NetworkError("mask: relative scaling hides which steps to skip; remove the mask, or use another scaling")
    if not all(0 <= channel < network.input_size for channel in network.relative_inputs):
        raise NetworkError(
            f"relative_inputs: expected channels from 0 to {network.input_size - 1}, got {network.relative_inputs}"
        )
    if network.relative_inputs and network.tokens:
        raise NetworkError("relative_inputs: tokens cannot be relative to a last value; remove them")
    if network.instance and not network.relative_inputs:
        raise NetworkError("instance: expected relative_inputs, the input channel of each output; got none")
    if network.instance and network.scaling is None:
        raise NetworkError(
            f"instance: expected a standardize with the training deviations as the first layer, got "
            f"{network.layers[0].kind}"
        )


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


def _check_constants(network: Network, weights: Weights) -> None:
    shape = Shape(network.input_size)
    for layer in network.layers:
        shape = layer.behind(shape)
        layer.check_constants(weights, shape.size)


def _check_instance(network: Network, weights: Weights) -> None:
    if not network.instance or network.scaling is None:
        return
    offset, inputs = network.scaling.offset, sorted(set(network.relative_inputs))
    if np.resize(weights[offset], network.input_size)[inputs].any():
        raise NetworkError(
            f"{offset}: expected zeros at the channels {inputs}: their mean in each window is subtracted before it"
        )
