"""From a network that an importer read to a run directory: the last step of every importer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm import __version__
from edgelstm.answers.answerer import piece_by_piece
from edgelstm.arrays import Array
from edgelstm.contract import (
    FORMAT_VERSION,
    Channel,
    Contract,
    Metrics,
    Provenance,
    State,
    StateTensor,
    Task,
    Traits,
    traits_of,
)
from edgelstm.data.baselines import persistence
from edgelstm.data.examples import Examples
from edgelstm.data.inputs import Inputs, inputs_of
from edgelstm.data.scores.score import Answerer, score
from edgelstm.data.series import statistics
from edgelstm.data.windows import Index, Rows, Windows
from edgelstm.errors import InputError, NetworkError, RunError, counted
from edgelstm.network import Mask, Network, Standardize, Weights, carried_states, check_network
from edgelstm.reading import Reading
from edgelstm.run import (
    RECORD,
    RUN_FORMAT_VERSION,
    Run,
    RunRecord,
    golden_inputs,
    golden_rows_of,
    graph_digest,
    pack_weights,
    write_run,
)

Forward = Callable[[Array, "NDArray[np.int64] | None"], Array]


@dataclass(frozen=True)
class Imported:
    """A network that was trained elsewhere, as an importer read it.

    Attributes:
        name: of the run and its files.
        network: its layers; None for a foreign graph.
        weights: float32 tensors by their names in the network; empty for a foreign graph.
        graph: an ONNX model with the inputs and outputs of FORMAT.md, for a network without layers; else None.
        task: one of `edgelstm.contract.TASKS`.
        inputs, outputs: the channels, in the order of the last axis.
        window: T; with lengths, the largest number of steps of a row.
        horizon: K.
        lengths: it takes the valid steps of each row.
        state: `"window"` or `"carried"`, as it was trained.
        answer: runs the original network: takes x and lengths as the contract says, returns y in the shape of the
            file's; padding after a length may be NaN or anything.
        versions: of the packages it was read with, by name.
        source: where it comes from, as plain JSON values; recorded as the recipe of the run.
        states: the state tensors of a carried foreign graph; those of layers follow from the layers.
        sample_period_s: seconds between two samples; None if unknown.
        classes: to label, the answers are the probabilities of classes; to classify they always are.
        reading: how the test table was read, so that the next table is read in the same way; None without one.
    """

    name: str
    network: Network | None
    weights: Weights
    graph: bytes | None
    task: Task
    inputs: tuple[Channel, ...]
    outputs: tuple[Channel, ...]
    window: int
    horizon: int
    lengths: bool
    state: State
    answer: Forward
    versions: dict[str, str]
    source: dict[str, Any]
    states: tuple[StateTensor, ...] = ()
    sample_period_s: float | None = None
    classes: bool = False
    reading: Reading | None = None

    @property
    def traits(self) -> Traits:
        """The traits of its task."""
        return traits_of(self.task)


def as_channels(channels: Sequence[str | Channel], size: int, letter: str) -> tuple[Channel, ...]:
    """Name channels as given, or `x0`, `x1`, ... by default.

    Args:
        channels: names, or complete channels with unit and statistics; empty for numbered names.
        size: the number of channels of the network.
        letter: for numbered names, `"x"` or `"y"`.

    Raises:
        InputError: the number of names is not that of the channels, or a name occurs twice.

    Example:
        >>> [channel.name for channel in as_channels((), 2, "x")]
        ['x0', 'x1']
    """
    given = channels or [f"{letter}{i}" for i in range(size)]
    found = tuple(c if isinstance(c, Channel) else Channel(c, None, "float32", None) for c in given)
    names = [channel.name for channel in found]
    if len(names) != size or len(set(names)) != size:
        what = {"x": "inputs", "y": "outputs"}[letter]
        raise InputError(
            f"{what}: expected {counted(size, 'different name')}, one for each channel, got {', '.join(names)}"
        )
    return found


def write_imported(
    imported: Imported,
    directory: str | Path,
    *,
    samples: Array | None = None,
    test: Examples | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> Run:
    """Write the run directory of an imported network, completely or not at all.

    Args:
        imported: the network.
        directory: of the run.
        samples: [N, T, F] float32 windows in physical units, or tokens int64 [N, T], for the golden vectors. None:
            windows of `test`; without these, normally distributed numbers, scaled as the first layer expects.
        test: held-out windows with their targets, or series with their classes or labels, to compare precisions.
        seed: of the random numbers.
        overwrite: replace an existing run.

    Raises:
        NetworkError: the layers or weights do not fit each other, or an answer is NaN or infinite.
        InputError: samples that do not fit, or a name that cannot be a file name.
        RunError: the directory already has a run.
        OutputError: the disk is full or the folder cannot be written.
    """
    directory = Path(directory)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", imported.name):
        raise InputError(
            f"name: expected letters, digits, '.', '_', '-', because files are named after it, got {imported.name!r}"
        )
    if (directory / RECORD).exists() and not overwrite:
        raise RunError(f"{directory}: a run already exists there; give another --output, or --overwrite")
    if imported.network is not None:
        check_network(imported.network, imported.weights)
    contract = draft_contract(imported, test)
    x, lengths, _ = _golden(imported, contract, samples, test, np.random.default_rng(seed))
    y = _answers(imported, contract, x, lengths)
    if test is not None:
        contract = _with_metrics(contract, imported, test)
    record = RunRecord(RUN_FORMAT_VERSION, contract, imported.network, imported.source, 0)
    run = Run(directory, record, imported.weights, x, y, test, lengths, imported.graph)
    write_run(run, {})
    return run


def draft_contract(imported: Imported, test: Examples | None = None) -> Contract:
    """Write the contract of an imported network, without its scores.

    Args:
        imported: the network.
        test: examples for the statistics of the channels.
    """
    digest = graph_digest(imported.graph) if imported.graph is not None else pack_weights(imported.weights)[1]
    carried = imported.state == "carried"
    states = carried_states(imported.network) if carried and imported.network is not None else imported.states
    inputs, outputs = imported.inputs, imported.outputs
    if test is not None:  # the only known data of the channels; training data would be better
        inputs = _described(inputs, test.x_rows)
        outputs = _described(outputs, test.truth_rows) if test.truth_rows.dtype == np.float32 else outputs
    return Contract(
        format_version=FORMAT_VERSION,
        name=imported.name,
        task=imported.task,
        precision="fp32",
        inputs=inputs,
        outputs=outputs,
        window=imported.window,
        horizon=imported.horizon,
        lengths=imported.lengths,
        state=imported.state,
        trained_state=imported.state,
        states=states,
        scaling="none",
        sample_period_s=imported.sample_period_s,
        quantization=None,
        fidelity=None,
        metrics=(),
        provenance=Provenance({"edgelstm": __version__, **imported.versions}, None, digest, None),
        answer="class" if imported.traits.always_classes or imported.classes else "number",
        reading=imported.reading,
    )


def _described(channels: tuple[Channel, ...], rows: Rows) -> tuple[Channel, ...]:
    return tuple(
        channel
        if channel.statistics or channel.dtype != "float32"
        else channel._replace(statistics=statistics(rows[:, i]))
        for i, channel in enumerate(channels)
    )


def _golden(
    imported: Imported, contract: Contract, samples: Array | None, test: Examples | None, rng: np.random.Generator
) -> Inputs:
    """Make a few windows and, if the network takes them, lengths: the first row is complete, the last is one step."""
    tokens = imported.inputs[0].dtype == "int64"
    shape = (imported.window,) if tokens else (imported.window, len(imported.inputs))
    rows = golden_rows_of(contract)
    if samples is not None:
        x = np.ascontiguousarray(samples)[:rows]
        x = x if tokens else x.astype(np.float32)
        if x.shape[1:] != shape or len(x) == 0 or not np.isfinite(x).all():
            raise InputError(f"samples: expected finite windows {['N', *shape]}, got {list(np.shape(samples))}")
    elif test is not None:
        return golden_inputs(test, contract)
    elif tokens:
        x = rng.integers(0, imported.inputs[0].categories or 1, (rows, *shape))
    else:
        x = _plausible(imported, rng.standard_normal((rows, *shape), dtype=np.float32))
    return Inputs(x, np.linspace(imported.window, 1, len(x)).astype(np.int64) if imported.lengths else None)


def _plausible(imported: Imported, x: Rows) -> Rows:
    """Scale standard normal numbers to the range that the network's own scaling expects, and mask the end of a row."""
    match imported.network.layers if imported.network is not None else ():
        case [Standardize() as scaling, *_]:
            x = (x / imported.weights[scaling.factor] + imported.weights[scaling.offset]).astype(np.float32)
        case [Mask() as mask, *_]:
            x[-1, x.shape[1] // 2 :] = mask.value
    return x


def _answers(imported: Imported, contract: Contract, x: Array, lengths: NDArray[np.int64] | None) -> Rows:
    """Run the original network row by row; NaN after the length of a row."""
    rows = [imported.answer(x[i : i + 1], None if lengths is None else lengths[i : i + 1]) for i in range(len(x))]
    y: Rows = np.concatenate(rows).astype(np.float32)
    steps = x.shape[1:2] if contract.every_step else ()
    expected = contract.answer_shape(len(x), *steps)
    if y.shape != expected:
        raise NetworkError(f"expected answers of shape {list(expected)} from this network, got {list(y.shape)}")
    if lengths is not None and contract.every_step:
        y[np.arange(y.shape[1]) >= lengths[:, np.newaxis]] = np.nan
        valid = y[np.arange(y.shape[1]) < lengths[:, np.newaxis]]
    else:
        valid = y
    if not np.isfinite(valid).all():
        raise NetworkError("the network gives NaN or infinity; these weights cannot be used")
    return y


def _with_metrics(contract: Contract, imported: Imported, test: Examples) -> Contract:
    """Score the network on the test data, and persistence too if the targets are among the inputs."""
    outputs, answer = contract.outputs, contract.answer
    network = score(_answerer(contract, imported, test), test, outputs, answer).score
    baselines = {}
    if isinstance(test, Windows) and test.history(slice(0, 1)) is not None:
        baselines["persistence"] = score(persistence(test), test, outputs, answer).score
    return replace(contract, metrics=(Metrics("test", len(test), network, None, baselines),))


def _answerer(contract: Contract, imported: Imported, test: Examples) -> Answerer:
    """Make an answerer of the original network, run like its file: from zero over each window, or over each series."""

    def predict(x: Array, lengths: Index | None = None, _: Index | None = None) -> Rows:
        return np.asarray(imported.answer(x, lengths), np.float32)

    def at_the_end(index: Index) -> Rows:
        x, lengths = test.padded(index)
        last: Rows = predict(x)[np.arange(len(x)), lengths - 1]
        return last

    if contract.state == "carried":
        return (lambda index: predict(test.padded(index)[0])[0]) if test.every_step else at_the_end
    if test.every_step:
        return lambda index: piece_by_piece(predict, contract, test, int(index[0]))
    return lambda index: predict(*inputs_of(test, contract, index))
