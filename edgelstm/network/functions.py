"""The functions inside an LSTM and between layers, in float64 numpy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edgelstm.arrays import Array64


def _sigmoid(x: Array64) -> Array64:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)))


def _softmax(x: Array64) -> Array64:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _elu(x: Array64) -> Array64:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


_erf = np.vectorize(math.erf, otypes=[np.float64])

# SELU's constants: Klambauer et al. 2017, "Self-Normalizing Neural Networks".
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805

FORMULAS: dict[str, Callable[[Array64], Array64]] = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2,
    "gelu_tanh": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_sigmoid_keras2": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "softmax": _softmax,
    "elu": _elu,
    "selu": lambda x: _SELU_SCALE * np.where(x > 0, x, _SELU_ALPHA * np.expm1(np.minimum(x, 0))),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "leaky_relu_02": lambda x: np.where(x > 0, x, 0.2 * x),
    "leaky_relu_03": lambda x: np.where(x > 0, x, 0.3 * x),
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "linear": lambda x: x,
}
# Functions between layers.
FUNCTIONS = tuple(name for name in FORMULAS if name != "linear")
# Functions of an LSTM's gates, cell candidate and output.
LSTM_FUNCTIONS = (
    "sigmoid",
    "tanh",
    "relu",
    "hard_sigmoid",
    "hard_sigmoid_keras2",
    "linear",
    "softsign",
    "softplus",
    "elu",
)
