"""What a network is made of: a list of layers over named tensors, independent of torch and ONNX.

The trainer and the importers write it into a run directory with the weights; the exporter builds the graph from
it. Tensors have the names, layouts and gate order (i f g o) of PyTorch: an `Lstm` called `"lstm"` owns
`lstm.weight_ih_l0`, `lstm.weight_hh_l0_reverse`, ..., a `Linear` called `"head"` owns `head.weight`, `head.bias`.

Each kind of layer is one class, in the file for what it does: `pointwise`, `recurrent`, `steps`, `highway`. The class
holds its sizes, checks, tensors and formula; `export` has a table from kinds to nodes, `train` one to modules. To add
a kind, write its class, add it to the `__all__` and the union of its file, and add a line to these tables.

Notation: B batch, T steps, F input channels, H hidden size, D directions, K horizon, O outputs.
"""

# A star imports what the file's own __all__ lists, so that a new kind is listed in its own file alone.
from edgelstm.network import highway, pointwise, recurrent, steps
from edgelstm.network.checks import check_network
from edgelstm.network.flow import Weights
from edgelstm.network.folding import folded, reordered
from edgelstm.network.functions import FUNCTIONS, LSTM_FUNCTIONS
from edgelstm.network.highway import *  # noqa: F403
from edgelstm.network.kind import size_behind
from edgelstm.network.network import INSTANCE_EPSILON, Layer, Network, carried_states
from edgelstm.network.pointwise import *  # noqa: F403
from edgelstm.network.recurrent import *  # noqa: F403
from edgelstm.network.steps import *  # noqa: F403

__all__ = [
    "FUNCTIONS",
    "INSTANCE_EPSILON",
    "LSTM_FUNCTIONS",
    "Layer",
    "Network",
    "Weights",
    "carried_states",
    "check_network",
    "folded",
    "reordered",
    "size_behind",
]
__all__ += highway.__all__
__all__ += pointwise.__all__
__all__ += recurrent.__all__
__all__ += steps.__all__
