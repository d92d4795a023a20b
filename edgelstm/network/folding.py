"""The same network in fewer operations: a Take as early as it can stand, and constants folded into linear layers.

The exporter builds its graph of what comes out, and the trainer simulates the int8 file of it.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from edgelstm.network.layers import (
    MEAN,
    Activation,
    Highway,
    Join,
    Layer,
    LayerNorm,
    Linear,
    Mask,
    Rescale,
    Reverse,
    Segment,
    Standardize,
    Take,
)
from edgelstm.network.network import Network, Weights

# Layers that work on each step by itself.
_AFFINE = (Linear, Standardize, Rescale)
_STEP_BY_STEP = (*_AFFINE, Activation, LayerNorm)


def reordered(network: Network, carried: bool) -> list[Layer]:
    """Put a Take in front of what works step by step: it gives the same there at a fraction of the cost.

    An LSTM with a Take right behind it gives its final state at once. A mean goes through what is linear alone, and
    not where a mask may leave nothing to average. A carried file answers at every step: nothing is taken. A Reverse
    goes in front of a Mask too, which changes the order of the steps. Instance scaling begins with its Standardize.
    """
    if not network.lstms:  # a highway alone: what tells it which samples it reads makes no node
        return [layer for layer in network.layers if not isinstance(layer, (Segment, Take))]
    layers: list[Layer] = []
    masked = any(isinstance(layer, Mask) for layer in network.layers)
    for layer in network.layers:
        passes: tuple[type, ...] = ()
        if isinstance(layer, Take):
            if carried:
                continue
            passes = _STEP_BY_STEP if layer.which != MEAN else () if masked else _AFFINE
        elif isinstance(layer, Reverse):
            passes = (*_STEP_BY_STEP, Mask)
        place, first = len(layers), int(network.instance)
        while place > first and isinstance(layers[place - 1], passes):
            place -= 1
        layers.insert(place, layer)
    return layers


def folded(layers: list[Layer], weights: Weights) -> tuple[list[Layer], Weights]:
    """Fold each way back to physical units into the linear layer in front of it, and a highway's bias into the head."""
    done: list[Layer] = []
    for layer in _through_joins(layers, weights):
        if isinstance(layer, Rescale) and _takes_scale(done):
            weights = _folded(done, layer, weights)
        else:
            done.append(layer)
    for linear, highway in pairwise(done):
        if isinstance(linear, Linear) and isinstance(highway, Highway):
            weights = _with_one_bias(linear, highway, weights)
            done[done.index(linear)] = linear._replace(bias=True)
    return done, weights


def _takes_scale(done: list[Layer]) -> bool:
    """Whether what stands last can answer in other units: a linear layer, or a highway alone or behind one."""
    if done and isinstance(done[-1], Highway):
        return done[-1].alone or isinstance(done[-2], Linear)
    return bool(done) and isinstance(done[-1], Linear)


def _through_joins(layers: list[Layer], weights: Weights) -> list[Layer]:
    """Put a way back that is the same for all channels in front of the Join, where one head answers for all of them."""
    layers = list(layers)
    for i in range(len(layers) - 2):
        linear, join, rescale = layers[i : i + 3]
        if isinstance(linear, (Linear, Highway)) and isinstance(join, Join) and isinstance(rescale, Rescale):
            same = all((weights[name] == weights[name][0]).all() for name in (rescale.scale, rescale.offset))
            layers[i + 1 : i + 3] = (rescale, join) if same else (join, rescale)
    return layers


def _folded(done: list[Layer], rescale: Rescale, weights: Weights) -> Weights:
    """Fold in float64: row k*O + o of a layer belongs to step k of output o. The offset goes into the last one.

    A per-channel int8 scale absorbs the factor exactly, so nothing is lost by it, unlike in the LSTM's own weights.
    """
    last = done[-1]
    if isinstance(last, Linear):
        done[-1] = last._replace(bias=True)
    elif not (isinstance(last, Highway) and last.alone):
        weights = _scaled(done[-2], rescale, weights, offset=False)
    return _scaled(last, rescale, weights, offset=True)


def _scaled(layer: Layer, rescale: Rescale, weights: Weights, *, offset: bool) -> Weights:
    if not isinstance(layer, (Linear, Highway)):
        raise TypeError(layer.kind)
    parts = weights[rescale.scale], weights[rescale.offset]
    scale, moved = (np.resize(part.astype(np.float64), layer.out_features) for part in parts)
    bias = weights.get(f"{layer.name}.bias", np.zeros(layer.out_features)).astype(np.float64) * scale
    replaced = {
        f"{layer.name}.weight": (weights[f"{layer.name}.weight"] * scale[:, np.newaxis]).astype(np.float32),
        f"{layer.name}.bias": (bias + moved * offset).astype(np.float32),
    }
    return {**weights, **replaced}


def _with_one_bias(linear: Linear, highway: Highway, weights: Weights) -> Weights:
    """Let the head alone have a bias: the product of the highway is then added to it in one node."""
    names = [f"{linear.name}.bias", f"{highway.name}.bias"]
    both = sum(weights[name].astype(np.float64) for name in names if name in weights)
    return {**weights, names[0]: np.asarray(both, np.float32), names[1]: np.zeros(highway.out_features, np.float32)}
