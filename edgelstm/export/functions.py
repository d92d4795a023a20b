"""The functions of `edgelstm.network` in ONNX: inside an LSTM node, and between layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

# Inside an LSTM node: operator, alpha, beta (ONNX, operator LSTM). An unused alpha or beta is None.
LSTM_OPERATORS: dict[str, tuple[str, float | None, float | None]] = {
    "sigmoid": ("Sigmoid", None, None),
    "tanh": ("Tanh", None, None),
    "relu": ("Relu", None, None),
    "hard_sigmoid": ("HardSigmoid", 1 / 6, 0.5),
    "hard_sigmoid_keras2": ("HardSigmoid", 0.2, 0.5),
    "linear": ("Affine", 1.0, 0.0),
    "softsign": ("Softsign", None, None),
    "softplus": ("Softplus", None, None),
    "elu": ("Elu", 1.0, None),
}

# Between layers: operator and attributes.
_OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "tanh": ("Tanh", {}),
    "sigmoid": ("Sigmoid", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_sigmoid_keras2": ("HardSigmoid", {"alpha": 0.2, "beta": 0.5}),
    "softmax": ("Softmax", {"axis": -1}),
    "elu": ("Elu", {}),
    "selu": ("Selu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "leaky_relu_02": ("LeakyRelu", {"alpha": 0.2}),  # tf.nn.leaky_relu's slope
    "leaky_relu_03": ("LeakyRelu", {"alpha": 0.3}),  # that of the Keras layer LeakyReLU
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
}


def add_function(add: Callable[..., str], constant: Callable[..., str], function: str, x: str, name: str) -> str:
    """Add the nodes of a function and give the name of its output.

    GELU has no operator in opset 17: it takes five nodes, which onnxruntime fuses into one at load.
    Source: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units".
    """
    if function in _OPERATORS:
        operator, attributes = _OPERATORS[function]
        return add(operator, [x], name, **attributes)

    def number(value: float) -> str:
        return constant(f"{function}_{value:.6g}", np.array(value, np.float32))

    if function == "gelu":
        inner = add("Erf", [add("Div", [x, number(math.sqrt(2))], f"{name}_scaled")], f"{name}_erf")
    else:  # gelu_tanh
        cube = add("Mul", [add("Mul", [x, x], f"{name}_square"), x], f"{name}_cube")
        sum_ = add("Add", [x, add("Mul", [cube, number(0.044715)], f"{name}_part")], f"{name}_sum")
        inner = add("Tanh", [add("Mul", [sum_, number(math.sqrt(2 / math.pi))], f"{name}_scaled")], f"{name}_tanh")
    twice = add("Mul", [x, add("Add", [inner, number(1)], f"{name}_one_more")], f"{name}_twice")
    return add("Mul", [twice, number(0.5)], name)
