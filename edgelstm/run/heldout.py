"""The held-out part of a run: windows or sequences in one safetensors file.

Besides the arrays there is `about`, uint8: JSON that says which of the two they are, and holds all other values.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.contract import Contract
from edgelstm.data.examples import Examples
from edgelstm.data.sequences import UNKNOWN, Sequences
from edgelstm.data.windows import Windows
from edgelstm.errors import RunError
from edgelstm.run.tensors import Tensors, pack_tensors, read_tensors
from edgelstm.strict_json import StrictJsonError, decode, dumps, parse


class _AboutWindows(NamedTuple):
    y_stride: int
    same_rows: bool
    steps: int
    horizon: int
    target_inputs: tuple[int, ...]
    names: tuple[str, ...]
    kind: str = "windows"


class _AboutSequences(NamedTuple):
    every_step: bool
    steps: int
    names: tuple[str, ...]
    kind: str = "sequences"


class _About(NamedTuple):
    examples: _AboutWindows | _AboutSequences


_ARRAYS = {
    "windows": ("x_rows", "x_starts", "y_rows", "y_starts"),
    "sequences": ("x_rows", "starts", "lengths", "targets"),
}
_OPTIONAL = {"windows": ("times", "firsts", "spreads"), "sequences": ("times",)}


def pack_heldout(examples: Examples) -> bytes:
    """Serialize windows or sequences."""
    about: _AboutWindows | _AboutSequences
    if isinstance(examples, Windows):
        sizes = examples.y_stride, examples.same_rows, examples.steps, examples.horizon
        about = _AboutWindows(*sizes, examples.target_inputs, examples.names)
    else:
        about = _AboutSequences(examples.every_step, examples.steps, examples.names)
    tensors = {name: getattr(examples, name) for name in _ARRAYS[about.kind]}
    more = {name: getattr(examples, name) for name in _OPTIONAL[about.kind]}
    tensors.update({name: array for name, array in more.items() if array is not None})
    text = dumps(_About(about)).encode()
    return pack_tensors({**tensors, "about": np.frombuffer(text, np.uint8)})


def read_heldout(path: Path, contract: Contract) -> Examples:
    """Read the result of `pack_heldout`, and check it against the contract: channels, windows, classes.

    Raises:
        RunError: it is missing or damaged, or belongs to another network.
    """
    tensors = read_tensors(path)
    try:
        examples = _unpack(tensors)
        _check(examples, contract)
    except (StrictJsonError, KeyError, ValueError) as error:
        reason = f"the tensor {error} is missing" if isinstance(error, KeyError) else error
        raise RunError(f"{path}: not a held-out part of this run: {reason}; train again") from error
    return examples


def _unpack(tensors: Tensors) -> Examples:
    about = decode(_About, parse(tensors["about"].tobytes()), "about").examples
    names, optional = _ARRAYS[about.kind], _OPTIONAL[about.kind]
    left = sorted(tensors.keys() - {"about", *names, *optional})
    _expect(not left, f"the tensor {left[:1]} is unknown")
    given = {**{name: tensors[name] for name in names}, **{name: tensors.get(name) for name in optional}}
    said = {key: value for key, value in about._asdict().items() if key != "kind"}
    make: Callable[..., Examples] = Windows if isinstance(about, _AboutWindows) else Sequences
    return make(**given, **said)


def _check(examples: Examples, contract: Contract) -> None:
    """Check that no later access can be outside an array."""
    _expect_rows("x_rows", examples.x_rows, len(contract.inputs))
    _expect(
        contract.traits.has_horizon == isinstance(examples, Windows),
        f"these are not examples of the task {contract.task}",
    )
    times = examples.times
    _expect(times is not None or not contract.times, "the tensor 'times' is missing")
    fits = times is None or (times.dtype == np.int64 and times.shape == examples.x_rows.shape[:1])
    _expect(fits, "the tensor 'times' does not fit 'x_rows'")
    _expect(len(examples.x_rows) > 0 and examples.steps >= 1, "there is no row")
    if isinstance(examples, Windows):
        _check_windows(examples, contract)
    else:
        _check_sequences(examples, contract)


def _check_windows(windows: Windows, contract: Contract) -> None:
    _expect_rows("y_rows", windows.y_rows, len(contract.targets))
    sizes = (windows.steps, windows.horizon)
    _expect(sizes == (contract.window, contract.horizon), f"windows of {sizes} steps are not those of the contract")
    _expect(windows.y_stride >= 1, f"y_stride is {windows.y_stride}")
    _expect(not windows.same_rows or len(windows.x_rows) == len(windows.y_rows), "x_rows and y_rows differ in length")
    inputs = set(windows.target_inputs)
    _expect(inputs <= set(range(len(contract.inputs))), f"target_inputs are {sorted(inputs)}")
    _expect_starts("x_starts", windows.x_starts, len(windows.x_rows) - windows.steps)
    _expect_starts("y_starts", windows.y_starts, len(windows.y_rows) - windows.horizon)
    _expect(len(windows.x_starts) == len(windows.y_starts), "x_starts and y_starts differ in length")
    _check_fleet(windows, contract)


def _check_fleet(windows: Windows, contract: Contract) -> None:
    """Check that many series have a first row, a name and a spread each, and a single series has none of these."""
    firsts, spreads, count = windows.firsts, windows.spreads, len(windows.names)
    _expect((firsts is None) == (spreads is None) == (count == 0), "firsts, spreads and names do not belong together")
    _expect(contract.many_series == (count > 0), f"many_series is {contract.many_series}, but there are {count} names")
    if firsts is None or spreads is None:
        return
    _expect_starts("firsts", firsts, len(windows.x_rows) - 1)
    grows = len(firsts) == count and firsts[0] == 0 and bool((np.diff(firsts) > 0).all())
    _expect(grows, "firsts must grow from 0, one for each name")
    fits = spreads.dtype == np.float64 and spreads.shape == (count, len(contract.targets))
    positive = fits and bool((np.isfinite(spreads) & (spreads > 0)).all())
    _expect(positive, "spreads must be positive, float64 [S, targets]")


def _check_sequences(sequences: Sequences, contract: Contract) -> None:
    rows, lengths = len(sequences.x_rows), sequences.lengths
    _expect_starts("starts", sequences.starts, rows - 1)
    _expect_starts("lengths", lengths, rows)
    alike = len(sequences.starts) == len(lengths) == len(sequences.names)
    _expect(alike, "starts, lengths and names differ in length")
    inside = bool(lengths.min() >= 1 and (lengths <= rows - sequences.starts).all())
    _expect(inside, "a series is empty or ends after the last row")
    _expect(sequences.every_step == contract.traits.every_step, f"these are not targets of the task {contract.task}")
    count, targets = rows if sequences.every_step else len(lengths), sequences.targets
    if contract.answer != "class":
        _expect_rows("targets", targets, len(contract.targets))
        _expect(len(targets) == count, "targets and x_rows differ in length")
        return
    _expect(targets.dtype == np.int64 and targets.shape == (count,), "targets must be int64, one per series or row")
    known = bool(targets.min() >= UNKNOWN and targets.max() < len(contract.outputs))
    _expect(known, f"a class is not among the {len(contract.outputs)} of the contract")


def _expect_rows(name: str, rows: NDArray[Any], channels: int) -> None:
    fits = rows.dtype == np.float32 and rows.ndim == 2 and rows.shape[1] == channels
    _expect(fits, f"{name} must be float32 [M, {channels}], got {rows.dtype} {list(rows.shape)}")


def _expect_starts(name: str, starts: NDArray[Any], last: int) -> None:
    fits = starts.dtype == np.int64 and starts.ndim == 1 and len(starts) > 0
    _expect(fits and 0 <= starts.min() <= starts.max() <= last, f"{name} must be int64 [N] from 0 to {last}")


def _expect(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(problem)
