"""From a Keras file to a run directory: the Keras importer from top to bottom."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array
from edgelstm.contract import TASKS, Channel, State, Task, traits_of
from edgelstm.data.windows import Windows
from edgelstm.errors import InputError, NetworkError, counted
from edgelstm.importers.imported import Forward, Imported, as_channels, write_imported
from edgelstm.importers.keras.chain import chain_of
from edgelstm.importers.keras.file import read_keras_file
from edgelstm.importers.keras.layers import Translated, translate
from edgelstm.network import Network, Weights
from edgelstm.reference import compute
from edgelstm.run import Run
from edgelstm.strict_json import plain


def from_keras(
    path: str | Path,
    directory: str | Path,
    *,
    name: str | None = None,
    window: int | None = None,
    horizon: int | None = None,
    inputs: Sequence[str | Channel] = (),
    outputs: Sequence[str | Channel] = (),
    task: Task | None = None,
    samples: Array | None = None,
    test: Windows | None = None,
    overwrite: bool = False,
) -> Run:
    """Write the run directory of a network saved by Keras; needs h5py, but neither Keras nor TensorFlow.

    Args:
        path: a `.keras` file, or an HDF5 file of a complete model.
        directory: of the run; `edgelstm export` takes it like any other.
        name: of the run and its files; None for that of the file.
        window: T, if the file does not fix it.
        horizon: K, for a last layer of K * O units; None: units divided by the number of `outputs`.
        inputs: names of the channels, or complete channels; empty for x0, x1, ...
        outputs: likewise; empty for y0, y1, ...
        task: `"forecast"`, `"classify"` or `"label"`; None: by the last layer: an answer at every step labels, softmax
            or sigmoid classifies, all else forecasts.
        samples: windows for the golden vectors, see `write_imported`.
        test: held-out windows with their targets.
        overwrite: replace an existing run.

    Returns:
        The run; `run.record.recipe["layers"]` says what each Keras layer became.

    Raises:
        NetworkError: not a Keras file, or a layer cannot be translated exactly.
        InputError: window, horizon, names or task do not fit the network.
        RunError: the directory already has a run.

    Example:
        >>> from_keras("nothing.keras", "runs/nothing")
        Traceback (most recent call last):
        edgelstm.errors.NetworkError: nothing.keras: file not found
    """
    imported = read_keras(path, name=name, window=window, horizon=horizon, inputs=inputs, outputs=outputs, task=task)
    return write_imported(imported, directory, samples=samples, test=test, overwrite=overwrite)


def read_keras(
    path: str | Path,
    *,
    name: str | None = None,
    window: int | None = None,
    horizon: int | None = None,
    inputs: Sequence[str | Channel] = (),
    outputs: Sequence[str | Channel] = (),
    task: Task | None = None,
) -> Imported:
    """Read a Keras file without writing anything; arguments and errors are those of `from_keras`.

    Example:
        >>> read_keras("nothing.keras")
        Traceback (most recent call last):
        edgelstm.errors.NetworkError: nothing.keras: file not found
    """
    file = read_keras_file(path)
    try:
        chain = chain_of(file)
        found = translate(chain, file.major)
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from error
    steps = _window(path, chain.input_shape[0], window)
    task = _task(found, task)
    horizon, size = _horizon(found, task, horizon, len(outputs))
    state: State = "carried" if found.stateful else "window"
    return Imported(
        name=name or _name_of(path),
        network=found.network,
        weights=found.weights,
        graph=None,
        task=task,
        inputs=_input_channels(found, inputs),
        outputs=as_channels(outputs, size, "y"),
        window=steps,
        horizon=horizon,
        lengths=False,
        state=state,
        answer=_answer(found, state, (horizon, size) if traits_of(task).has_horizon else (size,)),
        versions={"keras": file.version},
        source={"keras": Path(path).name, "sha256": file.sha256, "layers": [plain(row) for row in found.table]},
    )


def _name_of(path: str | Path) -> str:
    """Name a run after its file, with characters that a file name can have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path).stem).strip("-._") or "keras"


def _window(path: str | Path, fixed: int | None, asked: int | None) -> int:
    if fixed is None and asked is None:
        raise InputError(f"{path}: the file does not say how many steps a window has; give --window N")
    if asked is not None and (asked < 1 or fixed not in (None, asked)):
        expected = "at least 1" if fixed is None else f"{fixed}, as the file says"
        raise InputError(f"window: expected {expected}, got {asked}")
    return asked if fixed is None else fixed  # type: ignore[return-value]  # one of them is known


def _task(found: Translated, asked: Task | None) -> Task:
    """Choose the task by the last layer, or take the one that was asked for if it fits."""
    if asked not in (None, *TASKS):
        raise InputError(f"task: expected one of {', '.join(TASKS)}, got {asked!r}")
    probabilities = found.last_function in ("softmax", "sigmoid")
    fitting: tuple[Task, ...] = ("forecast",)
    if found.every_step and not found.stateful:
        fitting = ("label",)
    elif found.every_step:
        fitting = ("label", "forecast") if probabilities else ("forecast", "label")
    elif probabilities and not found.repeated and not found.reshaped:
        fitting = ("classify", "forecast")
    if asked is not None and asked not in fitting:
        raise InputError(f"task: this network can {' or '.join(fitting)}, got {asked!r}")
    return asked or fitting[0]


def _horizon(found: Translated, task: Task, asked: int | None, names: int) -> tuple[int, int]:
    """Find K and O: unit k * O + o of the last layer is step k of output o."""
    units, ahead = found.output_size, traits_of(task).has_horizon
    if found.repeated or not ahead:
        horizon = found.repeated or 1
    elif found.reshaped:
        horizon = found.reshaped[0]
    else:
        horizon = asked or (units // names if names and units % names == 0 else 1)
    if asked not in (None, horizon):
        raise InputError(f"horizon: this network answers {counted(horizon, 'step')}, got {asked}")
    if found.repeated or not ahead:
        return horizon, units
    if horizon < 1 or units % horizon:
        raise InputError(
            f"horizon: expected a divisor of the {counted(units, 'unit')} of the last layer, got {horizon}"
        )
    return horizon, units // horizon


def _input_channels(found: Translated, names: Sequence[str | Channel]) -> tuple[Channel, ...]:
    channels = as_channels(names, found.input_size, "x")
    if found.tokens is None:
        return channels
    return tuple(channel._replace(dtype="int64", categories=found.tokens) for channel in channels)


def _answer(found: Translated, state: str, ending: tuple[int, ...]) -> Forward:
    """Run the network in float64; with a carried state it answers at every step."""
    network: Network = found.network
    weights: Weights = found.weights
    if state == "carried":
        network = network.at_every_step
    steps = state == "carried" or found.every_step

    def answer(x: Array, _: NDArray[np.int64] | None) -> Array:
        y = compute(network, weights, x)
        return y.reshape(*x.shape[: 2 if steps else 1], *ending)

    return answer
