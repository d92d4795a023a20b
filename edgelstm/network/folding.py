"""The same network in fewer operations: a Take as early as possible, and constants folded into linear layers.

The exporter builds its graph from the result, and the trainer simulates the int8 file of it.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from edgelstm.network.flow import Weights
from edgelstm.network.highway import Highway
from edgelstm.network.network import Layer, Network
from edgelstm.network.pointwise import Linear, Rescale
from edgelstm.network.steps import Join, Mask, Segment


def reordered(network: Network, carried: bool) -> list[Layer]:
    """Move a Take before the layers that work step by step: the result is the same at a fraction of the cost.

    An LSTM directly followed by a Take gives its final state at once. A mean moves before affine layers alone, and not
    where a mask may leave nothing to average. A carried file answers at every step and has no Take. A Reverse moves
    before a Mask too, since the mask changes the order of the steps. Instance scaling begins with its Standardize.
    """
    if not network.lstms:  # a highway alone: the layers that say which samples it reads make no nodes
        return [layer for layer in network.at_every_step.layers if not isinstance(layer, Segment)]
    layers: list[Layer] = []
    masked, first = bool(network.of(Mask)), int(network.instance)
    for layer in (network.at_every_step if carried else network).layers:
        place = len(layers)
        while place > first and layer.moves_before(layers[place - 1], masked):
            place -= 1
        layers.insert(place, layer)
    return layers


def folded(layers: list[Layer], weights: Weights) -> tuple[list[Layer], Weights]:
    """Fold each Rescale to physical units into the linear layer before it, and a highway's bias into the head."""
    done: list[Layer] = []
    for layer in _through_joins(layers, weights):
        summands = _summands(done) if isinstance(layer, Rescale) else []
        if isinstance(layer, Rescale) and summands:
            weights = _folded(summands, layer, weights)
            done[-1] = _with_bias(done[-1])
        else:
            done.append(layer)
    for i, pair in enumerate(pairwise(done)):
        match pair:
            case Linear() as head, Highway() as highway:
                weights = _with_one_bias(head, highway, weights)
                done[i] = _with_bias(head)
    return done, weights


def _summands(done: list[Layer]) -> list[Linear | Highway]:
    """List the last layers, whose sum is the answer, if each can answer in other units; else none."""
    match done:
        case [*_, Linear() as head, Highway(alone=False) as highway]:
            return [head, highway]
        case [*_, Linear() as last] | [*_, Highway(alone=True) as last]:
            return [last]
    return []


def _with_bias(layer: Layer) -> Layer:
    return replace(layer, bias=True) if isinstance(layer, Linear) else layer


def _through_joins(layers: list[Layer], weights: Weights) -> list[Layer]:
    """Move a Rescale that is the same for all channels before the Join, where one head answers for all of them."""
    layers = list(layers)
    for i in range(len(layers) - 2):
        match layers[i : i + 3]:
            case [Linear() | Highway(), Join() as join, Rescale() as rescale]:
                same = all((weights[name] == weights[name][0]).all() for name in (rescale.scale, rescale.offset))
                layers[i + 1 : i + 3] = (rescale, join) if same else (join, rescale)
    return layers


def _folded(summands: list[Linear | Highway], rescale: Rescale, weights: Weights) -> Weights:
    """Fold in float64: row k*O + o of a layer is step k of output o. The offset is folded into the last layer.

    A per-channel int8 scale absorbs the factor exactly, so nothing is lost, unlike in the LSTM's own weights.
    """
    for layer in summands:
        weights = _scaled(layer, rescale, weights, offset=layer is summands[-1])
    return weights


def _scaled(layer: Linear | Highway, rescale: Rescale, weights: Weights, *, offset: bool) -> Weights:
    parts = weights[rescale.scale], weights[rescale.offset]
    scale, moved = (np.resize(part.astype(np.float64), layer.out_features) for part in parts)
    bias = weights.get(f"{layer.name}.bias", np.zeros(layer.out_features)).astype(np.float64) * scale
    replaced = {
        f"{layer.name}.weight": (weights[f"{layer.name}.weight"] * scale[:, np.newaxis]).astype(np.float32),
        f"{layer.name}.bias": (bias + moved * offset).astype(np.float32),
    }
    return {**weights, **replaced}


def _with_one_bias(linear: Linear, highway: Highway, weights: Weights) -> Weights:
    """Keep one bias, in the head: the product of the highway is then added to the head in one node."""
    names = [f"{linear.name}.bias", f"{highway.name}.bias"]
    both = sum(weights[name].astype(np.float64) for name in names if name in weights)
    return {**weights, names[0]: np.asarray(both, np.float32), names[1]: np.zeros(highway.out_features, np.float32)}
