"""Read a network from the names of its tensors: weights without their module."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array
from edgelstm.contract import STATES, TASKS, Channel, State, Task, traits_of
from edgelstm.errors import InputError, NetworkError, counted
from edgelstm.importers.imported import Imported, as_channels
from edgelstm.importers.weights.file import check_finite, read_weights
from edgelstm.network import (
    FINAL,
    FUNCTIONS,
    LAST,
    Activation,
    Layer,
    Linear,
    Lstm,
    Network,
    Take,
    Weights,
    check_network,
)
from edgelstm.reference import compute

_MODULE = "edgelstm.export.from_torch takes the module itself"
_LSTM_TENSOR = re.compile(r"(?:(.*)\.)?(weight|bias)_(ih|hh|hr)_l(\d)(_reverse)?")


class Names(NamedTuple):
    """What the names of tensors do not say.

    Attributes:
        activation: the function between linear layers, of `edgelstm.network.FUNCTIONS` or `"none"`; empty: unknown.
        final: the function after the last layer; empty: none.
        take: for a bidirectional LSTM, the step that the linear layers see: `"last"` or `"final"`; empty: unknown.
    """

    activation: str = ""
    final: str = ""
    take: str = ""


def read_torch(
    path: str | Path,
    *,
    window: int,
    inputs: Sequence[str | Channel] = (),
    outputs: Sequence[str | Channel] = (),
    task: Task = "forecast",
    horizon: int = 1,
    state: State = "window",
    names: Names = Names(),  # noqa: B008  (immutable)
    name: str = "network",
) -> Imported:
    """Read a network that is determined by the names of its tensors: LSTMs followed by linear layers.

    Args:
        path: of the weights, see `read_weights`.
        window: T, the steps it was trained with.
        inputs: names of the input channels; by default x0, x1, ...
        outputs: names of the output channels; by default y0, y1, ...
        task: one of `edgelstm.contract.TASKS`.
        horizon: K, the steps it forecasts at once.
        state: `"carried"`: it was trained with a carried state, and answers at every step.
        names: what the names of the tensors do not say.
        name: of the run and its files.

    Returns:
        The network, for `write_imported`.

    Raises:
        InputError: arguments that do not fit each other or the network.
        NetworkError: not a weights file, or its tensors fit no network, or more than one.

    Example:
        >>> import json, os, tempfile
        >>> shapes = {"lstm.weight_ih_l0": (8, 1), "lstm.weight_hh_l0": (8, 2), "head.weight": (1, 2)}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "weights.json")
        ...     with open(path, "w") as file:
        ...         json.dump({name: np.ones(shape).tolist() for name, shape in shapes.items()}, file)
        ...     imported = read_torch(path, window=24)
        >>> [layer.kind for layer in imported.network.layers]
        ['lstm', 'take', 'linear']
    """
    _check_choices(task, state, names)
    if window < 1 or horizon < 1:
        raise InputError(f"window, horizon: expected at least 1, got {window}, {horizon}")
    weights = read_weights(path)
    check_finite(path, weights)
    traits = traits_of(task)
    every_step = state == "carried" or traits.every_step
    network = _find_network(path, weights, names, every_step)
    size = network.of(Linear)[-1].out_features
    if size % horizon:
        raise InputError(f"horizon: the network's {counted(size, 'output')} cannot be divided into {horizon} steps")
    answer_sizes = (horizon, size // horizon) if traits.has_horizon else (size,)

    def answer(x: Array, lengths: NDArray[np.int64] | None) -> Array:
        steps = x.shape[1:2] if every_step else ()
        return compute(network, weights, x, lengths).reshape(len(x), *steps, *answer_sizes)

    return Imported(
        name=name,
        network=network,
        weights=weights,
        graph=None,
        task=task,
        inputs=as_channels(inputs, network.lstms[0].input_size, "x"),
        outputs=as_channels(outputs, answer_sizes[-1], "y"),
        window=window,
        horizon=horizon,
        lengths=False,
        state=state,
        answer=answer,
        versions={},
        source={"from": "torch", "weights": Path(path).name},
    )


def _check_choices(task: Task, state: State, names: Names) -> None:
    choices = {
        "task": (task, TASKS),
        "state": (state, STATES),
        "activation": (names.activation, ("", "none", *FUNCTIONS)),
        "final": (names.final, ("", *FUNCTIONS)),
        "take": (names.take, ("", LAST, FINAL)),
    }
    for key, (value, known) in choices.items():
        if value not in known:
            raise InputError(f"{key}: expected one of {', '.join(filter(None, known))}, got {value!r}")
    if traits_of(task).always_classes and names.final not in ("softmax", "sigmoid"):
        raise InputError("final: a network that classifies needs softmax or sigmoid at its end: give one of them")


def _find_network(path: str | Path, weights: Weights, names: Names, every_step: bool) -> Network:
    """Put the layers into the only order in which their sizes fit."""
    lstms, linears = _layers(path, weights)
    last = _only_order(path, lstms, linears)
    layers: list[Layer] = list(last[: len(lstms)])
    behind = last[len(lstms) :]
    if not every_step:
        if last[len(lstms) - 1].bidirectional and not names.take:
            raise NetworkError(
                f"{path}: bidirectional LSTM: the names do not say whether the linear layers see the last step or the "
                "final state of each direction; give take: last or final"
            )
        layers.append(Take(names.take or LAST))
    if len(behind) > 1 and not names.activation:
        raise NetworkError(
            f"{path}: {len(behind)} linear layers: the names do not say which function is between them; give "
            f"activation: relu, tanh, none...; or {_MODULE}"
        )
    for i, linear in enumerate(behind):
        if i and names.activation != "none":
            layers.append(Activation(names.activation))
        layers.append(linear)
    if names.final:
        layers.append(Activation(names.final))
    network = Network(tuple(layers))
    check_network(network, weights)
    return network


def _layers(path: str | Path, weights: Weights) -> tuple[list[Lstm], list[Linear]]:
    """Group the tensors by the layer they belong to."""
    lstms: dict[str, Weights] = {}
    linears: dict[str, Weights] = {}
    for name, tensor in weights.items():
        match = _LSTM_TENSOR.fullmatch(name)
        owner, _, kind = name.rpartition(".")
        if match:
            lstms.setdefault(match[1] or "", {})[name] = tensor
        elif kind in ("weight", "bias") and owner and tensor.ndim == {"weight": 2, "bias": 1}[kind]:
            linears.setdefault(owner, {})[kind] = tensor
        else:
            raise NetworkError(f"{path}: {name!r} does not belong to an LSTM or a linear layer; {_MODULE}")
    if not lstms:
        raise NetworkError(f"{path}: expected the tensors of an LSTM (weight_ih_l0, ...), found none")
    if "" in lstms:
        raise NetworkError(f"{path}: its LSTM has no name, expected names such as lstm.weight_ih_l0; {_MODULE}")
    incomplete = next((owner for owner, tensors in linears.items() if "weight" not in tensors), None)
    if incomplete is not None or not linears:
        raise NetworkError(f"{path}: expected a linear layer with its weight{f', {incomplete}' if incomplete else ''}")
    return (
        [_as_lstm(path, owner, tensors) for owner, tensors in lstms.items()],
        [Linear(owner, t["weight"].shape[1], t["weight"].shape[0], "bias" in t) for owner, t in linears.items()],
    )


def _as_lstm(path: str | Path, owner: str, tensors: Weights) -> Lstm:
    first, recurrent = (tensors.get(f"{owner}.weight_{part}_l0") for part in ("ih", "hh"))
    if first is None or recurrent is None or first.ndim != 2 or recurrent.ndim != 2:
        raise NetworkError(f"{path}: {owner}: expected matrices weight_ih_l0 and weight_hh_l0")
    projection = tensors.get(f"{owner}.weight_hr_l0")
    hidden = recurrent.shape[0] // 4
    if projection is None and recurrent.shape != (4 * hidden, hidden):
        raise NetworkError(
            f"{path}: {owner}.weight_hh_l0: expected [4 H, H] of an LSTM, got {list(recurrent.shape)}"
            + ("; this is a GRU" if recurrent.shape[0] == 3 * recurrent.shape[1] else "")
        )
    layers = 1 + max(int(_LSTM_TENSOR.fullmatch(name)[4]) for name in tensors)  # type: ignore[index]
    return Lstm(
        owner,
        first.shape[1],
        hidden,
        layers,
        any(name.endswith("_reverse") for name in tensors),
        0 if projection is None else projection.shape[0],
        any(".bias_" in name for name in tensors),
    )


def _only_order(path: str | Path, lstms: list[Lstm], linears: list[Linear]) -> list[Any]:
    if len(lstms) > 5 or len(linears) > 5:
        raise NetworkError(
            f"{path}: {len(lstms)} LSTMs and {len(linears)} linear layers are too many to find their order; {_MODULE}"
        )
    orders: list[list[Lstm | Linear]] = [
        [*front, *behind]
        for front in itertools.permutations(lstms)
        for behind in itertools.permutations(linears)
        if _chains([*front, *behind])
    ]
    if len(orders) != 1:
        every: list[Lstm | Linear] = [*lstms, *linears]
        sizes = ", ".join(f"{layer.name} {layer.sizes.into} to {layer.sizes.out}" for layer in every)
        why = "do not fit in any order" if not orders else "fit in more than one order"
        raise NetworkError(f"{path}: its layers {why} ({sizes}); {_MODULE}")
    return orders[0]


def _chains(layers: list[Lstm | Linear]) -> bool:
    return all(front.sizes.out == behind.sizes.into for front, behind in itertools.pairwise(layers))
