"""The functions of `edgelstm.network` in torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F


def _linear(x: Tensor) -> Tensor:
    return x


def _hard_sigmoid_keras2(x: Tensor) -> Tensor:
    return (0.2 * x + 0.5).clamp(0, 1)


def _softplus(x: Tensor) -> Tensor:
    """Compute softplus exactly: torch's own is linear above 20."""
    return torch.logaddexp(x, torch.zeros_like(x))


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": _linear,
    "relu": torch.relu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": F.hardsigmoid,
    "hard_sigmoid_keras2": _hard_sigmoid_keras2,
    "softmax": partial(torch.softmax, dim=-1),
    "elu": F.elu,
    "selu": F.selu,
    "leaky_relu": F.leaky_relu,
    "leaky_relu_02": partial(F.leaky_relu, negative_slope=0.2),
    "leaky_relu_03": partial(F.leaky_relu, negative_slope=0.3),
    "softplus": _softplus,
    "softsign": F.softsign,
}
