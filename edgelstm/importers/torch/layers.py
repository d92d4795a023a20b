"""From the record of a forward to the layers of `edgelstm.network`: exactly, or not at all.

Between two layers values may only be moved. The numbers that reach a layer must equal, bit for bit, the output of the
layer before, moved in a way that the list of layers can express.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import type_before_parametrizations

from edgelstm.arrays import Array
from edgelstm.errors import NetworkError, counted
from edgelstm.importers.torch.call import BatchShape, Lengths, Subject, differ, quiet
from edgelstm.importers.torch.record import Event, Known, Record
from edgelstm.network import (
    FINAL,
    LAST,
    Activation,
    Embedding,
    Layer,
    Linear,
    Lstm,
    Network,
    Take,
    Weights,
    check_network,
)
from edgelstm.reference import compute

# Tolerance of a module in float32 and in float64 against the reference; parametrized weights are float32 in one only.
_NARROW, _WIDE = 1e-5, 1e-6


_AGAIN = "~"


class _Value(NamedTuple):
    """What flows between two layers.

    Attributes:
        tensor: [B, T, C], [B, C], or tokens [B, T].
        final: after an LSTM its final state, both directions concatenated: [B, D * H].
        steps: whether there is an axis of steps.
    """

    tensor: Tensor
    final: Tensor | None
    steps: bool


class _Place(NamedTuple):
    """How a value reached a layer.

    Attributes:
        take: the `Take` before the layer, if the axis of steps ended there.
        value: after that.
        back: converts the output of the layer to the form of `value`.
    """

    take: Take | None
    value: _Value
    back: Callable[[Tensor], Tensor]


def find_layers(found: Record, subject: Subject, x: Array, lengths: Lengths | None, answer: Tensor) -> Network:
    """Find the layers in a record.

    Args:
        found: the result of `record` for x and lengths.
        subject: the module.
        x: float32 [B, T, F] with different B and T, or tokens [B, T].
        lengths: int64 [B], or None.
        answer: of the module, raw.

    Raises:
        NetworkError: the module is not a list of known layers; says why.
    """
    if found.foreign:
        raise NetworkError(f"{found.foreign} is not one of edgelstm's layers")
    valid = np.ones(x.shape[:2], bool) if lengths is None else np.arange(x.shape[1]) < lengths[:, np.newaxis]
    mask = torch.from_numpy(valid)
    value = _Value(torch.from_numpy(np.ascontiguousarray(x)), None, True)
    layers: list[Layer] = []
    for event in found.events:
        place = _place(value, event.x, mask)
        if place is None:
            raise NetworkError(f"the input of {_called(event)} is not the output of the layer before it")
        _add_take(layers, place.take)
        layers.append(_named_once(_layer(event), layers))
        value = _after(event, place)
    _add_take(layers, _ending(value, subject.batch_first(answer), mask))
    return Network(tuple(layers))


def layer_weights(network: Network, subject: Subject) -> Weights:
    """Copy the tensors of the layers from the module, with or without parametrization."""
    modules = dict(subject.module.named_modules())
    weights = {}
    for name, _ in network.tensors():
        owner, _, tensor = name.rpartition(".")
        owner = owner.partition(_AGAIN)[0]
        part = modules.get(owner, subject.module)  # a module that is one layer has no name
        weights[name] = getattr(part, tensor).detach().float().numpy().copy()
    return weights


def check_layers(
    network: Network, weights: Weights, subject: Subject, tries: list[tuple[Array, Lengths | None]]
) -> None:
    """Compare the layers, run in float64 numpy, with the module itself.

    The module runs in float64 too if it can; its forward may demand float32.

    Raises:
        NetworkError: the layers do not fit each other, or answer differently.
    """
    check_network(network, weights)
    wide = _widened(subject)
    for x, lengths in tries:
        expected = compute(network, weights, x, lengths).reshape(len(x), *x.shape[1 : 1 + subject.every_step], -1)
        if lengths is not None and subject.every_step:
            expected[np.arange(x.shape[1]) >= lengths[:, np.newaxis]] = np.nan
        given = subject.answer(x, lengths) if wide is None else _run_wide(wide, x, lengths)
        error = differ(given.reshape(expected.shape), expected)
        if not error <= (_NARROW if wide is None else _WIDE):
            raise NetworkError(
                f"its layers, computed one after the other, differ from the module by {error:.3g} of its largest "
                f"answer, for {counted(len(x), 'row')} of {counted(x.shape[1], 'step')}"
            )


def _widened(subject: Subject) -> Subject | None:
    wide = replace(subject, module=copy.deepcopy(subject.module).double())
    try:
        _run_wide(wide, *subject.draw(BatchShape(1, 4), np.random.default_rng(0)))
    except NetworkError:
        return None
    return wide


def _run_wide(wide: Subject, x: Array, lengths: Lengths | None) -> Array:
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # for zeros that a forward creates as initial states
    try:
        with quiet():
            return wide.answer(x if wide.categories else x.astype(np.float64), lengths)
    finally:
        torch.set_default_dtype(default)


def _place(value: _Value, reached: Tensor, mask: Tensor) -> _Place | None:
    """Find the move that turns a value into what reached a layer."""
    for take, moved in _taken(value, mask):
        for form, back in _forms(moved):
            if _equal(form, reached, mask):
                return _Place(take, moved, back)
    return None


def _taken(value: _Value, mask: Tensor) -> Iterator[tuple[Take | None, _Value]]:
    yield None, value
    if value.steps and value.tensor.ndim == 3:
        last = mask.sum(1) - 1
        yield Take(LAST), _Value(value.tensor[range(len(last)), last], None, False)
    if value.final is not None:
        yield Take(FINAL), _Value(value.final, None, False)


def _forms(value: _Value) -> Iterator[tuple[Tensor, Callable[[Tensor], Tensor]]]:
    """List the forms in which code passes a value to a layer, and the way back from the output for each."""
    tensor = value.tensor
    yield tensor, lambda y: y
    if value.steps and tensor.ndim >= 2:
        yield tensor.transpose(0, 1), lambda y: y.transpose(0, 1)
    if value.steps and tensor.ndim == 3:
        yield tensor.flatten(0, 1), lambda y: torch.unflatten(y, 0, tensor.shape[:2])
    if not value.steps:
        yield tensor[None], lambda y: y[0]
        yield tensor[:, None], lambda y: y[:, 0]


def _equal(form: Tensor, reached: Tensor, mask: Tensor) -> bool:
    """Compare bit for bit; values after the length of a row are ignored."""
    if mask.all():
        return form.shape == reached.shape and bool((form == reached).all())
    if form.ndim < 2 or form.shape[0] != mask.shape[0] or reached.ndim != form.ndim:
        return form.shape == reached.shape and bool((form == reached).all())
    steps = reached.shape[1] if form.shape[1:2] == mask.shape[1:2] else None
    if steps is None or form.ndim == 2:
        return form.shape == reached.shape and bool((form == reached).all())
    if reached.shape != (form.shape[0], steps, *form.shape[2:]) or steps > mask.shape[1]:
        return False
    return bool((form[:, :steps] == reached)[mask[:, :steps]].all())


def _named_once(layer: Layer, layers: list[Layer]) -> Layer:
    """Rename a layer that is called again: it is one more layer, with the same weights under a new name."""
    name = getattr(layer, "name", None)
    before = sum(getattr(other, "name", "").partition(_AGAIN)[0] == name for other in layers)
    return replace(layer, name=f"{name}{_AGAIN}{before + 1}") if before and name else layer  # type: ignore[arg-type]


def _layer(event: Event) -> Layer:
    part = event.what
    if isinstance(part, str):
        return Activation(part)
    name = event.name or {"LSTM": "lstm", "Linear": "linear", "Embedding": "embedding"}[_kind(part)]
    if isinstance(part, nn.Linear):
        return Linear(name, part.in_features, part.out_features, part.bias is not None)
    if isinstance(part, nn.Embedding):
        if part.max_norm is not None:
            raise NetworkError(f"{_called(event)} changes its rows when it is called (max_norm)")
        return Embedding(name, part.num_embeddings, part.embedding_dim)
    if event.started:
        raise NetworkError(f"{_called(event)} starts from a state that is not zero")
    return Lstm(
        name, part.input_size, part.hidden_size, part.num_layers, part.bidirectional, part.proj_size, bool(part.bias)
    )


def _after(event: Event, place: _Place) -> _Value:
    if not isinstance(event.what, nn.LSTM):
        return place.value._replace(tensor=place.back(event.y), final=None)
    directions = 2 if event.what.bidirectional else 1
    final = event.states[0][-directions:].transpose(0, 1).flatten(1)
    return _Value(event.y, final, True)


def _add_take(layers: list[Layer], take: Take | None) -> None:
    """Take the step before linear layers and functions, not after them: the result is the same, with less work."""
    if take is None:
        return
    place = len(layers)
    while place and take.moves_before(layers[place - 1], masked=False):
        place -= 1
    layers.insert(place, take)


def _ending(value: _Value, answer: Tensor, mask: Tensor) -> Take | None:
    for take, moved in _taken(value, mask):
        tensor = moved.tensor
        leading = tensor.shape[: 1 + moved.steps]
        if answer.numel() == tensor.numel() and answer.shape[: len(leading)] == leading:
            if _equal(tensor, answer.reshape(tensor.shape), mask):
                return take
        elif moved.steps and answer.ndim == tensor.ndim and _equal(tensor, answer, mask):  # its padding was cut off
            return take
    raise NetworkError("the module's answer is not the output of its last layer")


def _called(event: Event) -> str:
    if isinstance(event.what, str):
        return event.name
    return f"{event.name!r} ({_kind(event.what)})" if event.name else _kind(event.what)


def _kind(part: Known) -> str:
    return type_before_parametrizations(part).__name__
