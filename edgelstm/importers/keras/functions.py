"""Keras' activations by edgelstm's names: given by name, as a serialized function, or as a layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from edgelstm.importers.keras.chain import KerasLayer, layer_in

_ACTIVATIONS = {
    **{name: name for name in ("relu", "gelu", "tanh", "sigmoid", "softmax", "elu", "selu", "softplus", "softsign")},
    "linear": "linear",
    "leaky_relu": "leaky_relu_02",
}
_SLOPES = {0.01: "leaky_relu", 0.2: "leaky_relu_02", 0.3: "leaky_relu_03"}
_HARD_SIGMOID = {2: "hard_sigmoid_keras2", 3: "hard_sigmoid"}  # 0.2 x + 0.5 until Keras 3 made it x / 6 + 0.5


def function_of(major: int, layer: KerasLayer, value: Any, what: str = "activation") -> str:
    """Give edgelstm's name of a function: given by name, as a serialized function, or as a layer."""
    if value is None:
        return "linear"
    if isinstance(value, dict) and value.get("class_name") == "function":
        module = value.get("module")
        value = value.get("config") if module in (None, "builtins") or str(module).startswith("keras.") else value
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        inner = layer_in(KerasLayer(layer.name, layer.class_name, {what: value}), what, ())
        if inner.class_name in FUNCTION_LAYERS:
            return FUNCTION_LAYERS[inner.class_name](inner)
    if value == "hard_sigmoid":
        return _HARD_SIGMOID[major]
    if not isinstance(value, str) or value not in _ACTIVATIONS:
        known = ", ".join([*_ACTIVATIONS, "hard_sigmoid"])
        raise layer.refuse(f"unknown {what} {value!r:.60}; expected one of {known}")
    return _ACTIVATIONS[value]


def _leaky_relu(layer: KerasLayer) -> str:
    key = "negative_slope" if "negative_slope" in layer.config else "alpha"
    slope = layer.get(key, float)
    found = next((name for known, name in _SLOPES.items() if math.isclose(known, slope, rel_tol=1e-7)), None)
    if found is None:
        raise layer.refuse(f"expected a slope of {', '.join(map(str, _SLOPES))}, got {slope:g}")
    return found


def _relu(layer: KerasLayer) -> str:
    plain = not layer.config.get("negative_slope") and not layer.config.get("threshold")
    if not plain or layer.config.get("max_value") is not None:
        raise layer.refuse("expected a plain ReLU, got one with a slope, a threshold or a maximum")
    return "relu"


def _elu(layer: KerasLayer) -> str:
    if layer.get("alpha", float, 1.0) != 1:
        raise layer.refuse(f"expected alpha 1, got {layer.config['alpha']!r:.40}")
    return "elu"


def _softmax(layer: KerasLayer) -> str:
    if layer.config.get("axis", -1) != -1:
        raise layer.refuse("expected a softmax over the last axis")
    return "softmax"


FUNCTION_LAYERS: dict[str, Callable[[KerasLayer], str]] = {
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "Softmax": _softmax,
}
