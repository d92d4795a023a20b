"""Import your own torch module: from an `nn.Module` to a run directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgelstm.arrays import Array
from edgelstm.contract import STATES, TASKS, Channel, State, Task, traits_of
from edgelstm.data.windows import Windows
from edgelstm.errors import InputError, NetworkError, RunError, counted, either
from edgelstm.importers.imported import Forward, Imported, as_channels, write_imported
from edgelstm.importers.torch.call import BatchShape, Lengths, Subject, prepare
from edgelstm.importers.torch.foreign import Shape
from edgelstm.importers.torch.graph import ForeignGraph, export_graph
from edgelstm.importers.torch.held_out import check_targets, held_out_examples
from edgelstm.importers.torch.layers import check_layers, find_layers, layer_weights
from edgelstm.importers.torch.load import load_weights
from edgelstm.importers.torch.record import record
from edgelstm.network import Network, Weights
from edgelstm.run import RECORD, Run


@dataclass(frozen=True)
class FromTorch:
    """An imported module.

    Attributes:
        run: its run directory, for `edgelstm.export.export_run`.
        network: its layers; None if it went through `torch.onnx.export`.
        notes: how it was read; also in `run.json`.
    """

    run: Run
    network: Network | None
    notes: tuple[str, ...]


def from_torch(
    module: nn.Module,
    directory: str | Path,
    *,
    window: int,
    inputs: Sequence[str | Channel] = (),
    outputs: Sequence[str | Channel] = (),
    weights: str | Path | None = None,
    task: Task = "forecast",
    horizon: int = 1,
    state: State = "window",
    lengths: bool = False,
    samples: Array | None = None,
    test: tuple[Array, ...] | None = None,
    name: str = "network",
    overwrite: bool = False,
) -> FromTorch:
    """Write the run directory of a torch module that was trained elsewhere.

    The module is run and observed: LSTMs, linear layers, embeddings and the usual functions between them become the
    layers of `edgelstm.network`. Any other module goes through `torch.onnx.export`. In both cases the result is
    compared with the module at several batch sizes and lengths, and refused if it answers differently.

    Args:
        module: an `nn.Module` whose forward takes x float32 [B, T, F], or tokens int64 [B, T], and with `lengths`
            the valid steps int64 [B] after it. It is not changed.
        directory: of the run.
        window: T, the steps it was trained with.
        inputs: names of the channels, or complete channels with unit and statistics; by default x0, x1, ...
        outputs: the same for its answers; by default y0, y1, ...
        weights: a `.safetensors` file or one that `torch.load(weights_only=True)` reads; it is loaded strictly into a
            copy of the module.
        task: `"forecast"`, `"classify"` (it answers with probabilities) or `"label"` (an answer at every step).
        horizon: K, the steps it forecasts at once.
        state: `"carried"`: it was trained with a carried state, and answers at every step.
        lengths: it takes lengths.
        samples: float32 [N, T, F], or tokens [N, T]: real windows for the golden vectors; None: random numbers.
        test: x [N, T, F] and y, held-out windows and their targets, to compare precisions: y [N, K, O] to forecast; to
            classify the classes, int [N]; to label the classes of each step, int [N, T], or numbers [N, T, O]. A module
            that takes lengths needs a third array, int [N]. Classes below 0, and NaN, are unknown.
        name: of the run and its files.
        overwrite: replace an existing run.

    Raises:
        InputError: arguments that do not fit each other or the module.
        NetworkError: this module or its weights cannot be imported; names the layer.
        RunError: the directory already has a run.
        MissingDependencyError: torch is not installed.

    Example:
        >>> import tempfile, torch
        >>> class Forecaster(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.lstm = torch.nn.LSTM(3, 8, batch_first=True)
        ...         self.head = torch.nn.Linear(8, 2)
        ...     def forward(self, x):
        ...         out, _ = self.lstm(x)
        ...         return self.head(out[:, -1])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = from_torch(Forecaster(), folder, window=24, outputs=["temperature", "humidity"])
        >>> [layer.kind for layer in found.network.layers]
        ['lstm', 'take', 'linear']
    """
    _check_arguments(window, horizon, task, state, lengths, directory, overwrite)
    notes: list[str] = []
    if weights is not None:
        module, note = load_weights(module, weights)
        notes += note
    examples = None if test is None else held_out_examples(test, window, horizon, task, lengths)
    features = len(inputs) or (0 if examples is None else examples.x_rows.shape[1])
    tokens = any(isinstance(channel, Channel) and channel.dtype == "int64" for channel in inputs)
    subject = prepare(module, 0 if tokens else features, lengths, window)
    if any(parameter.dtype == torch.float64 for parameter in module.parameters()):
        notes.append("its float64 weights were rounded to float32")
    if subject.time_first:
        notes.append("its inputs and answers are [T, B, ...]; the file takes [B, T, F]")
    shape = _shape(subject, task, horizon, state)
    tries = _tries(subject, window, samples)
    classes = examples is not None and examples.truth_rows.dtype == np.int64
    if traits_of(task).always_classes or classes:
        _check_probabilities(subject, tries)
    read = _read(subject, shape, state, tries)
    taken, given = _input_channels(subject, inputs), as_channels(outputs, shape.answer[-1], "y")
    notes += read.notes
    weights_name = None if weights is None else Path(weights).name
    imported = Imported(
        name=name,
        network=read.network,
        weights=read.weights,
        graph=None if read.graph is None else read.graph.model.SerializeToString(deterministic=True),
        task=task,
        inputs=taken,
        outputs=given,
        window=window,
        horizon=horizon,
        lengths=lengths,
        state=state,
        answer=_answer(subject, shape),
        versions={"torch": torch.__version__},
        source={"from": "torch", "module": type(module).__name__, "weights": weights_name, "notes": notes},
        states=() if read.graph is None else read.graph.states,
        classes=classes,
    )
    if isinstance(examples, Windows):
        examples = replace(examples, target_inputs=_target_inputs(taken, given))
    elif examples is not None:
        check_targets(examples, given)
    run = write_imported(imported, directory, samples=samples, test=examples, overwrite=overwrite)
    return FromTorch(run, read.network, tuple(notes))


@dataclass(frozen=True)
class _Read:
    """The result of reading a module: layers with weights, or a graph."""

    network: Network | None
    weights: Weights
    graph: ForeignGraph | None
    notes: tuple[str, ...]


def _check_arguments(
    window: int, horizon: int, task: Task, state: State, lengths: bool, directory: str | Path, overwrite: bool
) -> None:
    if task not in TASKS:
        raise InputError(f"task: expected one of {', '.join(TASKS)}, got {task!r}")
    if state not in STATES:
        raise InputError(f"state: expected {either(STATES)}, got {state!r}")
    if window < 1 or horizon < 1:
        raise InputError(f"window, horizon: expected at least 1, got {window}, {horizon}")
    if horizon > 1 and not traits_of(task).has_horizon:
        raise InputError(f"horizon: expected 1 for the task {task}, got {horizon}")
    if lengths and state == "carried":
        raise InputError("lengths: a network with a carried state is stepped and takes no lengths")
    if (Path(directory) / RECORD).exists() and not overwrite:
        raise RunError(f"{directory}: a run already exists there; give another directory, or overwrite=True")


def _shape(subject: Subject, task: Task, horizon: int, state: State) -> Shape:
    """See that the shape of the answers fits the task."""
    every_step = state == "carried" or traits_of(task).every_step
    if subject.every_step and not every_step:
        raise NetworkError(
            f"the module answers at every step, {['B', 'T', *subject.answer_sizes]}, expected one answer to {task}; "
            "give task='label' or state='carried', or let its forward take the last step"
        )
    if every_step and not subject.every_step:
        raise NetworkError(
            f"the module gives one answer, {['B', *subject.answer_sizes]}, expected an answer at every step for "
            f"{'state' if state == 'carried' else 'task'} {state if state == 'carried' else task!r}"
        )
    size, given = int(np.prod(subject.answer_sizes)), subject.answer_sizes
    if not traits_of(task).has_horizon:
        return Shape(subject.features, subject.lengths, every_step, (size,), given)
    if size % horizon or (len(given) == 2 and given[0] != horizon) or len(given) > 2:
        raise NetworkError(f"horizon: {horizon} does not fit the module's answer {['B', *given]}: expected [B, K, O]")
    return Shape(subject.features, subject.lengths, every_step, (horizon, size // horizon), given)


def _tries(subject: Subject, window: int, samples: Array | None) -> list[tuple[Array, Lengths | None]]:
    """Draw windows of several batch sizes and lengths, all different so that no axis is mistaken for another."""
    rng = np.random.default_rng(1)
    shapes = [
        BatchShape(2, window),
        BatchShape(1, window),
        BatchShape(7, window),
        BatchShape(5 if window != 2 else 4, window + 3),
    ]
    tries = [subject.draw(shape, rng) for shape in shapes]
    if samples is not None and not subject.lengths and np.shape(samples)[1:2] == (window,):
        tries.append((np.asarray(samples)[:7].astype(tries[0][0].dtype), None))
    return tries


def _read(subject: Subject, shape: Shape, state: str, tries: list[tuple[Array, Lengths | None]]) -> _Read:
    """Read a module as layers if it consists of known ones, else as a graph."""
    x, lengths = tries[3]
    found, answer = record(subject, x, lengths)
    if found.beside:
        raise NetworkError(
            f"the module returns {counted(found.beside, 'tensor')} after its answer that are not states of its layers; "
            "wrap it in a module whose forward returns the answer alone"
        )
    try:
        network = find_layers(found, subject, x, lengths, answer)
        weights = layer_weights(network, subject)
        check_layers(network, weights, subject, tries)
    except NetworkError as error:
        reason = str(error)
    else:
        backward = next((lstm.name for lstm in network.lstms if lstm.bidirectional), None)
        if state == "carried" and backward is not None:
            raise NetworkError(f"state: {backward!r} (LSTM) is bidirectional, so its state cannot be carried")
        return _Read(network, weights, None, (f"read as {len(network.layers)} layers",))
    graph = export_graph(subject, shape, state == "carried", tries, found)
    before, after = (sum(count.values()) for count in (graph.before, graph.after))
    return _Read(
        None,
        {},
        graph,
        (
            f"not a list of known layers: {reason}; exported through torch.onnx.export",
            f"its graph: {before} nodes as exported, {after} after cleaning",
        ),
    )


def _input_channels(subject: Subject, inputs: Sequence[str | Channel]) -> tuple[Channel, ...]:
    if not subject.categories:
        if any(isinstance(channel, Channel) and channel.dtype != "float32" for channel in inputs):
            raise InputError("inputs: expected float32 channels, because the module has no embedding for tokens")
        return as_channels(inputs, subject.features, "x")
    return tuple(
        channel if channel.dtype == "int64" else channel._replace(dtype="int64", categories=subject.categories)
        for channel in as_channels(inputs, 1, "x")
    )


def _check_probabilities(subject: Subject, tries: list[tuple[Array, Lengths | None]]) -> None:
    """Refuse logits, which modules trained with cross entropy often give: classes need probabilities."""
    answers = np.concatenate([subject.answer(x, lengths).ravel() for x, lengths in tries])
    if not (answers.min() >= 0 and answers.max() <= 1 + 1e-6):
        raise NetworkError(
            f"task: expected probabilities of classes, got answers from {answers.min():.3g} to {answers.max():.3g}; "
            "if these are logits, give torch.nn.Sequential(module, torch.nn.Softmax(-1))"
        )


def _answer(subject: Subject, shape: Shape) -> Forward:
    """Run the module, and give its answers in the shape of the file's."""

    def answer(x: Array, lengths: Lengths | None) -> Array:
        y = subject.answer(x, lengths)
        found: Array = y.reshape(*y.shape[: 1 + shape.every_step], *shape.answer)
        return found

    return answer


def _target_inputs(inputs: tuple[Channel, ...], outputs: tuple[Channel, ...]) -> tuple[int, ...]:
    names = [channel.name for channel in inputs]
    if all(channel.name in names for channel in outputs):
        return tuple(names.index(channel.name) for channel in outputs)
    return ()
