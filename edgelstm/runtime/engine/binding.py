"""Bind numpy buffers to a session once, and call it over them again and again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgelstm.contract import Contract

Buffers = Mapping[str, NDArray[Any]]


def bind(session: onnxruntime.InferenceSession, inputs: Buffers, outputs: Buffers) -> Callable[[], None]:
    """Bind contiguous buffers by their memory, and give a call that runs the session once over them.

    It goes to the extension module itself where that is to be had, with empty `RunOptions` made once: 1 to 2 us less
    than `InferenceSession.run_with_iobinding` (decision 0015), which is called where it is not.

    On any device but the CPU buffers are handed over at every call instead: onnxruntime copies what is bound to the
    device's memory when it is bound, and later calls would silently run on what was there then (microsoft/onnxruntime
    issue 5857).

    Args:
        session: an open session.
        inputs: by name, all that the graph takes; their memory is bound, so the caller keeps them.
        outputs: by name, those that are wanted; likewise.

    Returns:
        A call without arguments. The outputs lie in their buffers when it returns.
    """
    if session.get_providers() != ["CPUExecutionProvider"]:
        return partial(_run_by_copy, session, inputs, outputs)
    binding = session.io_binding()
    for name, buffer in inputs.items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(buffer))
    for name, buffer in outputs.items():
        binding.bind_ortvalue_output(name, onnxruntime.OrtValue.ortvalue_from_numpy(buffer))
    try:
        run, bound = session._sess.run_with_iobinding, binding._iobinding
    except AttributeError:
        return partial(session.run_with_iobinding, binding)
    return partial(run, bound, onnxruntime.RunOptions())


def _run_by_copy(session: onnxruntime.InferenceSession, inputs: Buffers, outputs: Buffers) -> None:
    """Run once, with the inputs as they are now, and copy what comes out into the outputs' buffers."""
    for buffer, answer in zip(outputs.values(), session.run(list(outputs), inputs), strict=True):
        np.copyto(buffer, answer)


def zero_states(contract: Contract, batch: int) -> dict[str, NDArray[np.float32]]:
    """Make the state tensors of so many streams that begin, by their input names; none for a window file."""
    return {
        state.input: np.zeros([batch if size == "B" else int(size) for size in state.shape], np.float32)
        for state in contract.states
    }


def zero_given(contract: Contract, batch: int) -> dict[str, NDArray[Any]]:
    """Make what one call of a stream takes of its samples.

    Returns:
        `"x"`: [B, 1, F] of a carried file, else [B, T, F]; tokens have no F. `"time_s"` int64 [B, 1] or [B, T] where
        the file takes times.
    """
    steps = 1 if contract.states else contract.window
    channels = () if contract.tokens else (len(contract.inputs),)
    given: dict[str, NDArray[Any]] = {"x": np.zeros((batch, steps, *channels), contract.inputs[0].dtype)}
    return given | ({"time_s": np.zeros((batch, steps), np.int64)} if contract.times else {})


def kept_windows(contract: Contract) -> tuple[str, ...]:
    """Tell what a stream keeps of its samples: all of a window file's last window, of a carried one the last time."""
    return (() if contract.states else ("x",)) + (("time_s",) if contract.times else ())


def zero_y(contract: Contract, batch: int, steps: int) -> NDArray[np.float32]:
    """Make the y that a graph gives to x of so many steps."""
    leading = (batch, steps) if contract.every_step else (batch,)
    return np.zeros([int(size) for size in contract.answer_shape(*leading)], np.float32)


class Room(NamedTuple):
    """The buffers of a call.

    Attributes:
        given: what the graph takes of samples: `"x"` and, where it takes it, `"time_s"`.
        y: what it gives.
        old, new: what the streams kept and will keep: state tensors, or of a window file what is given; times always.
        lengths: where the graph takes them, the whole window.
    """

    given: dict[str, NDArray[Any]]
    y: NDArray[np.float32]
    old: dict[str, NDArray[Any]]
    new: dict[str, NDArray[Any]]
    lengths: NDArray[np.int64]


def make_room(contract: Contract, rows: int) -> Room:
    """Make the buffers of a call of so many rows."""
    given, old = zero_given(contract, rows), zero_states(contract, rows)
    new = {**zero_states(contract, rows), **{name: given[name] for name in kept_windows(contract)}}
    y = zero_y(contract, rows, given["x"].shape[1])
    return Room(given, y, {**old}, new, np.full(rows, contract.window, np.int64))


def part_of(room: Room, axes: dict[str, int], row: int, count: int) -> Room:
    """Give so many rows of a room; from another row than the first only where the rows lie one behind the other."""

    def part(buffer: NDArray[Any], axis: int = 0) -> NDArray[Any]:
        shape = (*buffer.shape[:axis], count, *buffer.shape[axis + 1 :])
        start = row * math.prod(buffer.shape[axis + 1 :])
        return buffer.reshape(-1)[start : start + math.prod(shape)].reshape(shape)

    old, new = ({name: part(buffer, axes[name]) for name, buffer in kept.items()} for kept in (room.old, room.new))
    given = {name: part(buffer) for name, buffer in room.given.items()}
    return Room(given, part(room.y), old, new, part(room.lengths))


def bind_room(session: onnxruntime.InferenceSession, contract: Contract, room: Room) -> Callable[[], None]:
    """Bind a room, or a part of one."""
    inputs = {**room.given, **room.old} | ({"lengths": room.lengths} if contract.lengths else {})
    outputs = {"y": room.y} | {state.output: room.new[state.input] for state in contract.states}
    return bind(session, inputs, outputs)
