"""From a Keras config to the chain of its layers: one input, one output, one layer after the other."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

from edgelstm.arrays import Array
from edgelstm.errors import NetworkError
from edgelstm.importers.keras.file import KerasFile, Stored

Entry = dict[str, Any]
T = TypeVar("T")

# Where each class keeps its weights inside its group of a .keras file, in Keras' order.
_PLACES = {
    "LSTM": ("cell/vars",),
    "Bidirectional": ("forward_layer/cell/vars", "backward_layer/cell/vars"),
    "Dense": ("vars",),
    "TimeDistributed": ("layer/vars",),
    "Embedding": ("vars",),
    "Normalization": ("vars",),
    "BatchNormalization": ("vars",),
}
_GROUPS = {
    "LSTM": "lstm",
    "Bidirectional": "bidirectional",
    "Dense": "dense",
    "TimeDistributed": "time_distributed",
    "Embedding": "embedding",
    "Normalization": "normalization",
    "BatchNormalization": "batch_normalization",
}
_PACKAGES = ("keras.", "tf_keras.", "tensorflow.keras.", "tensorflow.python.keras.", "builtins.")
_MASK_OPERATIONS = ("NotEqual", "Any")


class KerasLayer(NamedTuple):
    """One layer.

    Attributes:
        name: in Keras.
        class_name: `"LSTM"`.
        config: as parsed from JSON, not checked yet.
        weights: in Keras' order.
    """

    name: str
    class_name: str
    config: dict[str, Any]
    weights: tuple[Array, ...] = ()

    def refuse(self, reason: str) -> NetworkError:
        """Make an error that names this layer."""
        return NetworkError(f"layer {self.name!r} ({self.class_name}): {reason}")

    def get(self, key: str, kind: type[T], default: T | None = None) -> T:
        """Read a setting of one type; without a default it must exist."""
        value = self.config.get(key, default)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
            raise self.refuse(f"expected {key} as {kind.__name__}, got {value!r:.60}")
        return value

    def size(self, key: str) -> int:
        """Read a setting that is a size: 1 to 2**20."""
        value = self.get(key, int)
        if not 1 <= value <= 2**20:
            raise self.refuse(f"expected {key} from 1 to {2**20}, got {value}")
        return value


class Chain(NamedTuple):
    """The layers of a model.

    Attributes:
        input_shape: without the batch; None where the file does not fix a size.
        layers: after the input, first to last.
    """

    input_shape: tuple[int | None, ...]
    layers: tuple[KerasLayer, ...]


def chain_of(file: KerasFile) -> Chain:
    """Put the layers of a model into their order, and give each its weights.

    Raises:
        NetworkError: the model is not a chain, or the weights of a layer are missing.
    """
    model = file.model
    kind, config = model.get("class_name"), model.get("config")
    _check_module(model, "the model")
    entries = _entries(config)
    layers = [_layer(entry) for entry in entries]
    if len({layer.name for layer in layers}) != len(layers):
        raise NetworkError("expected layers with different names, got one name twice")
    if kind in ("Functional", "Model"):
        order = _functional(config, entries, {layer.name: layer for layer in layers})
    elif kind == "Sequential":
        order = [layer.name for layer in layers]
    else:
        raise NetworkError(
            f"expected a Sequential or Functional model, got {kind!r:.60}; a subclass is code, not a list of layers"
        )
    found = _with_weights(layers, file)
    ordered = [found[name] for name in order]
    shape = _input_shape(model, config, ordered[0])
    return Chain(shape, tuple(layer for layer in ordered if layer.class_name != "InputLayer"))


def layer_in(layer: KerasLayer, key: str, weights: tuple[Array, ...]) -> KerasLayer:
    """Give the layer inside a wrapper such as TimeDistributed, with its part of the weights."""
    entry = layer.config.get(key)
    if not isinstance(entry, dict):
        raise layer.refuse(f"expected a layer as {key!r}, got {entry!r:.60}")
    return _layer(entry)._replace(weights=weights)


def _entries(config: Any) -> list[Entry]:
    entries = config if isinstance(config, list) else config.get("layers") if isinstance(config, dict) else None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise NetworkError("the config of the model lists no layers")
    return entries


def _layer(entry: Entry) -> KerasLayer:
    kind, config = entry.get("class_name"), entry.get("config")
    name = config.get("name", entry.get("name")) if isinstance(config, dict) else None
    if not isinstance(kind, str) or not isinstance(config, dict) or not isinstance(name, str):
        raise NetworkError(f"expected layers with class_name, config and name, got {entry!r:.60}")
    if not name.isprintable() or not kind.isprintable() or not 0 < len(name) <= 200 or len(kind) > 200:
        raise NetworkError(f"expected printable names of layer and class, got {name!r:.60} ({kind!r:.60})")
    layer = KerasLayer(name, kind, config)
    _check_module(entry, f"layer {name!r} ({kind})")
    return layer


def _check_module(entry: Entry, place: str) -> None:
    """Refuse a custom class, which may be called LSTM too."""
    module, registered = entry.get("module"), entry.get("registered_name")
    known = module is None or (isinstance(module, str) and f"{module}.".startswith(_PACKAGES))
    if not known or (registered is not None and registered != entry.get("class_name")):
        raise NetworkError(f"{place}: a custom class ({module!r:.60}, {registered!r:.60}); its code is not in the file")


def _functional(config: Any, entries: list[Entry], layers: dict[str, KerasLayer]) -> list[str]:
    """Walk from the output back to the input; layers outside this path must be Keras' own operations on masks."""
    ends = config if isinstance(config, dict) else {}
    first, last = (_single(ends.get(key), key, layers) for key in ("input_layers", "output_layers"))
    nodes = dict(zip(layers, entries, strict=True))
    order, masks = [last], []
    while order[-1] != first:
        source, arguments = _inbound(nodes, layers, order[-1])
        if source in order or source not in layers:
            raise layers[order[-1]].refuse(f"expected a layer before it, got {source!r:.60}")
        masks.append((order[-1], arguments.get("mask")))
        order.append(source)
    order.reverse()
    used = set(order)
    for name, mask in masks:
        if mask is not None:
            used |= _mask_operations(nodes, layers, layers[name], mask, order)
    for name in layers:
        if name not in used:
            raise layers[name].refuse("is on a separate branch; expected a chain from one input to one output")
    return order


def _single(value: Any, key: str, layers: dict[str, KerasLayer]) -> str:
    """Read the single input or output; Keras 2 writes [[name, 0, 0]], Keras 3 also [name, 0, 0]."""
    ends = [value] if isinstance(value, list) and value and isinstance(value[0], str) else value
    if not isinstance(ends, list) or len(ends) != 1 or not _is_place(ends[0]) or ends[0][0] not in layers:
        raise NetworkError(f"{key}: expected one layer that is called once, got {value!r:.80}")
    return str(ends[0][0])


def _is_place(value: Any) -> bool:
    """Whether a value is [name, 0, 0]: the first output of the first call of a layer."""
    return isinstance(value, list) and len(value) >= 3 and isinstance(value[0], str) and value[1:3] == [0, 0]


def _inbound(nodes: dict[str, Entry], layers: dict[str, KerasLayer], name: str) -> tuple[str, dict[str, Any]]:
    """Give the layer before, and the keywords of the call: Keras 3's form, else Keras 2's [[[name, 0, 0, {}]]]."""
    layer, calls = layers[name], nodes[name].get("inbound_nodes")
    if not isinstance(calls, list) or len(calls) != 1:
        raise layer.refuse("expected to be called once; shared layers are not supported")
    if isinstance(calls[0], dict):
        tensors, keywords = calls[0].get("args"), calls[0].get("kwargs")
        place = _history(tensors[0]) if isinstance(tensors, list) and len(tensors) == 1 else None
    else:
        places = calls[0] if isinstance(calls[0], list) and len(calls[0]) == 1 else [None]
        place = places[0]
        keywords = place[3] if isinstance(place, list) and len(place) > 3 else {}
    if isinstance(place, list) and len(place) >= 3 and isinstance(place[0], str) and place[1] == 0 != place[2]:
        raise layer.refuse(f"takes a second output of {place[0]!r}, such as a state; only the first one is supported")
    if not _is_place(place) or not isinstance(place, list) or not isinstance(keywords, dict):
        raise layer.refuse("expected one input; layers that join several inputs are not supported")
    others = {key: value for key, value in keywords.items() if value not in (None, False) and key != "mask"}
    if others:
        key, value = next(iter(others.items()))
        raise layer.refuse(f"is called with {key}={value!r:.40}, which is not supported")
    return str(place[0]), keywords


def _history(tensor: Any) -> Any:
    if not isinstance(tensor, dict) or tensor.get("class_name") != "__keras_tensor__":
        return None
    config = tensor.get("config")
    return config.get("keras_history") if isinstance(config, dict) else None


def _mask_operations(
    nodes: dict[str, Entry], layers: dict[str, KerasLayer], layer: KerasLayer, mask: Any, order: list[str]
) -> set[str]:
    """See that a mask given as a tensor is computed by Masking or Embedding in the chain, from its own input."""
    used: set[str] = set()
    place, blank = _history(mask), None
    for kind in reversed(_MASK_OPERATIONS):
        name = place[0] if _is_place(place) else None
        if name not in layers or layers[name].class_name != kind:
            if kind == "Any":  # tokens are one number a step
                continue
            raise layer.refuse("is called with a mask that does not come from Masking or Embedding")
        arguments = _arguments(nodes[name], layers[name])
        config = layers[name].config
        if kind == "Any" and (config.get("axis") != -1 or config.get("keepdims")):
            raise layers[name].refuse("expected a mask over the channels of a step")
        place, blank = _history(arguments[0]), arguments[1] if len(arguments) > 1 else None
        used.add(name)
    source = place[0] if _is_place(place) else None
    makers = [layers[behind] for front, behind in pairwise(order) if front == source]
    maker = makers[0] if makers else None
    if maker is None or _mask_value(maker) is None or _mask_value(maker) != blank:
        raise layer.refuse("is called with a mask that does not come from Masking or Embedding")
    return used


def _mask_value(layer: KerasLayer) -> Any:
    """Give the value that a layer masks; None if it masks nothing."""
    if layer.class_name == "Embedding":
        return 0 if layer.config.get("mask_zero") is True else None
    return layer.config.get("mask_value") if layer.class_name == "Masking" else None


def _arguments(entry: Entry, layer: KerasLayer) -> list[Any]:
    """Give the arguments of an operation that is called once."""
    calls = entry.get("inbound_nodes")
    call = calls[0] if isinstance(calls, list) and len(calls) == 1 else None
    arguments = call.get("args") if isinstance(call, dict) else None
    if not isinstance(arguments, list) or not arguments:
        raise layer.refuse("expected one input")
    return arguments


def _with_weights(layers: list[KerasLayer], file: KerasFile) -> dict[str, KerasLayer]:
    """Give each layer its arrays; `.keras` numbers the groups of each class in the order of the config."""
    found = {}
    left = {kind: _groups(file.stored, group) for kind, group in _GROUPS.items()}
    for layer in layers:
        if layer.class_name not in _PLACES or not _has_weights(layer):
            found[layer.name] = layer
            continue
        if file.by_name:
            stored = file.stored.get(layer.name)
            arrays = _by_name(layer, stored) if stored else ()
        else:
            stored = left[layer.class_name].pop(0) if left[layer.class_name] else None
            arrays = _by_place(layer, stored) if stored else ()
        if not arrays or stored is None:
            raise layer.refuse("its weights are missing from the file")
        if stored.name and stored.name != layer.name:
            raise layer.refuse(f"the file has the weights of {stored.name!r:.60} in its place")
        found[layer.name] = layer._replace(weights=arrays)
    return found


def _has_weights(layer: KerasLayer) -> bool:
    if layer.class_name == "TimeDistributed":
        inner = layer.config.get("layer")
        return isinstance(inner, dict) and inner.get("class_name") == "Dense"
    return layer.class_name != "Normalization" or layer.config.get("mean") is None


def _groups(stored: dict[str, Stored], group: str) -> list[Stored]:
    """List the groups `lstm`, `lstm_1`, ... that contain weights, in the order of their numbers."""
    numbered = {name: re.fullmatch(rf"{group}(?:_(\d{{1,6}}))?", name) for name in stored}
    order = sorted((int(match[1] or 0), name) for name, match in numbered.items() if match)
    return [stored[name] for _, name in order if _without_seeds(stored[name].arrays)]


def _without_seeds(arrays: dict[str, Array]) -> dict[str, Array]:
    """Remove the state of dropout's random numbers."""
    return {path: array for path, array in arrays.items() if "seed_generator" not in path.split("/")}


def _by_place(layer: KerasLayer, stored: Stored) -> tuple[Array, ...]:
    arrays = _without_seeds(stored.arrays)
    found: list[Array] = []
    for place in _PLACES[layer.class_name]:
        count = sum(path.rpartition("/")[0] == place for path in arrays)
        try:
            found += [arrays.pop(f"{place}/{i}") for i in range(count)]
        except KeyError as error:
            raise layer.refuse(f"its weights lack {error}") from error
    if arrays:
        raise layer.refuse(f"its weights have an unknown array {next(iter(arrays))!r:.60}")
    return tuple(found)


def _by_name(layer: KerasLayer, stored: Stored) -> tuple[Array, ...]:
    """Give the arrays in Keras' order: kernel, recurrent kernel, bias, forward first; a frozen one may be last."""
    arrays = list(_without_seeds(stored.arrays).items())
    if layer.class_name == "Bidirectional":
        arrays.sort(key=lambda item: any(part.startswith("backward_") for part in item[0].split("/")[:-1]))
    return tuple(array for _, array in arrays)


def _input_shape(model: Entry, config: Any, first: KerasLayer) -> tuple[int | None, ...]:
    """Read the shape from the input layer, else from the first layer (Keras 2), else from the model's build config."""
    if first.config.get("ragged") or first.config.get("sparse"):
        raise first.refuse(
            "expected plain windows as input, got ragged or sparse ones; pad them, and use a Masking layer"
        )
    build = model.get("build_config")
    places = [first.config.get("batch_shape"), first.config.get("batch_input_shape")]
    places += [config.get("build_input_shape")] if isinstance(config, dict) else []
    places += [build.get("input_shape")] if isinstance(build, dict) else []
    shape = next((place for place in places if place is not None), None)
    if not isinstance(shape, list) or len(shape) not in (2, 3):
        raise NetworkError(f"expected an input [batch, steps, channels], or tokens [batch, steps], got {shape!r:.60}")
    if not all(size is None or (type(size) is int and 0 < size <= 2**20) for size in shape):
        raise NetworkError(f"expected an input with sizes from 1 to {2**20}, got {shape!r:.60}")
    return tuple(shape[1:])
