"""The state of translating a chain of Keras layers, and the checks of every layer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgelstm.importers.keras.chain import KerasLayer
from edgelstm.network import Activation, Layer, Weights


@dataclass
class Flow:
    """What has been built so far.

    Attributes:
        major: 2 or 3, of the Keras that wrote the file.
        size: of the last axis.
        sequence: there is an axis of steps.
        masked: some steps are masked.
        mask_at: the index among the layers of a mask that no LSTM has used yet; None without one.
        zeroed: the values at masked steps are zero instead of repeated; only another LSTM removes the difference.
    """

    major: int
    size: int
    sequence: bool = True
    masked: bool = False
    mask_at: int | None = None
    zeroed: bool = False
    tokens: int | None = None
    repeated: int = 0
    reshaped: tuple[int, int] | None = None
    stateful: list[bool] = field(default_factory=list)
    function: str = "linear"
    layers: list[Layer] = field(default_factory=list)
    weights: Weights = field(default_factory=dict)

    def name(self, kind: str) -> str:
        """Make a new name: those in the file may contain anything."""
        return f"{kind}{sum(getattr(layer, 'name', '').startswith(kind) for layer in self.layers)}"


def add_function(flow: Flow, function: str) -> None:
    """Add the activation function of a layer."""
    flow.function = function
    if function != "linear":
        flow.layers.append(Activation(function))


def check_policy(layer: KerasLayer) -> None:
    """Refuse a layer that computes in another precision, which gives other numbers."""
    policy = layer.config.get("dtype", "float32")
    if isinstance(policy, dict):
        inner = policy.get("config")
        policy = inner.get("name") if isinstance(inner, dict) else None
    integer = layer.class_name == "Embedding" and policy in ("int32", "int64")  # the type of its input, in Keras 2
    if policy not in (None, "float32") and not integer:
        raise layer.refuse(
            f"computes in {policy!r:.40}, expected float32; build the model again with the dtype policy float32, "
            "load its weights, and save it"
        )
    if layer.config.get("lora_rank") is not None:
        raise layer.refuse("has separate LoRA weights; merge them and save the model again")


def checked_array(layer: KerasLayer, index: int, shape: tuple[int, ...], what: str) -> NDArray[np.float32]:
    """Give one array of a layer as float32, after checking that it has this shape and is finite."""
    if index >= len(layer.weights):
        raise layer.refuse(f"its {what} is missing from the file")
    array = layer.weights[index]
    if array.shape != shape:
        raise layer.refuse(f"{what}: expected shape {list(shape)}, got {list(array.shape)}")
    if array.dtype.newbyteorder("=") != np.float32:
        raise layer.refuse(f"{what}: expected float32, got {array.dtype}")
    if not np.isfinite(array).all():
        raise layer.refuse(f"{what}: contains NaN or infinity; these weights cannot be used")
    return array.astype(np.float32)


def check_count(layer: KerasLayer, count: int) -> None:
    """See that a layer has the expected number of arrays."""
    if len(layer.weights) != count:
        raise layer.refuse(f"expected {count} arrays of weights, got {len(layer.weights)}")
