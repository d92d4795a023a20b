"""What a network is made of: a list of layers over named tensors, with nothing of torch or ONNX in it.

The trainer and the importers write it into a run directory beside the weights, the exporter builds the graph from
it. Tensors have the names, layouts and gate order (i f g o) of PyTorch: an `Lstm` called `"lstm"` owns
`lstm.weight_ih_l0`, `lstm.weight_hh_l0_reverse`, ..., a `Linear` called `"head"` owns `head.weight`, `head.bias`.

Notation: B batch, T steps, F input channels, H hidden size, D directions, K horizon, O outputs.
"""

from __future__ import annotations

from edgelstm.network.checks import check_network
from edgelstm.network.folding import folded, reordered
from edgelstm.network.layers import (
    CYCLES,
    FINAL,
    FUNCTIONS,
    INSTANCE_EPSILON,
    LAST,
    LAYER_NORM_EPSILON,
    LSTM_FUNCTIONS,
    MEAN,
    Activation,
    Calendar,
    Embedding,
    Highway,
    Join,
    Layer,
    LayerNorm,
    Linear,
    Lstm,
    Mask,
    Repeat,
    Rescale,
    Reverse,
    Segment,
    Standardize,
    Take,
    size_behind,
)
from edgelstm.network.network import Network, Weights, carried_states

__all__ = [
    "CYCLES",
    "FINAL",
    "FUNCTIONS",
    "INSTANCE_EPSILON",
    "LAST",
    "LAYER_NORM_EPSILON",
    "LSTM_FUNCTIONS",
    "MEAN",
    "Activation",
    "Calendar",
    "Embedding",
    "Highway",
    "Join",
    "Layer",
    "LayerNorm",
    "Linear",
    "Lstm",
    "Mask",
    "Network",
    "Repeat",
    "Rescale",
    "Reverse",
    "Segment",
    "Standardize",
    "Take",
    "Weights",
    "carried_states",
    "check_network",
    "folded",
    "reordered",
    "size_behind",
]
