"""The buffers that a step reads and writes, and the calls that run on them, for one stream and for many."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgelstm.arrays import Array32
from edgelstm.contract import Contract
from edgelstm.runtime.engine.binding import bind


class Room(NamedTuple):
    """The buffers of a call.

    Attributes:
        given: the inputs that come from samples: `"x"` and, if the graph takes it, `"time_s"`.
        y: the answers.
        old, new: what the streams keep, before and after the call: state tensors, and the inputs that `kept_windows`
            names. Only a room of `make_turns` has these inputs in `old`; many streams shift their windows from where
            they keep them.
        lengths: if the graph takes them, the whole window.
        apart: each row is run alone, so each has its own contiguous memory.
    """

    given: dict[str, NDArray[Any]]
    y: Array32
    old: dict[str, NDArray[Any]]
    new: dict[str, NDArray[Any]]
    lengths: NDArray[np.int64]
    apart: bool


def make_room(contract: Contract, rows: int, apart: bool) -> Room:
    """Make the buffers of one call for all rows, or of one call for each row."""
    given = zero_given(contract, rows)
    new = {**zero_states(contract, rows, apart), **{name: given[name] for name in kept_windows(contract)}}
    y, lengths = zero_y(contract, rows, given["x"].shape[1]), np.full(rows, contract.window, np.int64)
    return Room(given, y, zero_states(contract, rows, apart), new, lengths, apart)


def make_turns(contract: Contract, rows: int, apart: bool) -> tuple[Room, Room]:
    """Make two rooms, each of which reads what the other writes, so that nothing is copied between steps."""
    room, other = make_room(contract, rows, apart), zero_given(contract, rows)
    windows = {name: other[name] for name in kept_windows(contract)}
    first = room._replace(old={**room.old, **windows})
    return first, first._replace(given={**room.given, **windows}, old=first.new, new=first.old)


def bind_room(session: onnxruntime.InferenceSession, contract: Contract, room: Room) -> Callable[[], None]:
    """Bind the rows of a room: the call runs them together, or one after the other if they are apart."""
    if room.apart:
        return in_turn(bind_rows(session, contract, room))
    inputs = {**room.old, **room.given} | ({"lengths": room.lengths} if contract.lengths else {})
    outputs = {"y": room.y} | {state.output: room.new[state.input] for state in contract.states}
    return bind(session, inputs, outputs)


def bind_rows(session: onnxruntime.InferenceSession, contract: Contract, room: Room) -> list[Callable[[], None]]:
    """Bind each row of a room whose rows are apart: those of an int8 file, which neighbours in a call would change."""
    rows = [rows_of(contract, room, row, row + 1) for row in range(len(room.lengths))]
    return [bind_room(session, contract, row._replace(apart=False)) for row in rows]


def in_turn(runs: Sequence[Callable[[], None]]) -> Callable[[], None]:
    """Combine several calls into one."""
    if len(runs) == 1:
        return runs[0]

    def run() -> None:
        for run in runs:
            run()

    return run


def rows_of(contract: Contract, room: Room, start: int, stop: int) -> Room:
    """Return the rows from `start` to `stop`; if they are not apart, the first ones, packed as a call takes them."""
    axes = batch_axes(contract)

    def part(buffer: NDArray[Any], axis: int = 0) -> NDArray[Any]:
        rows = buffer[(*[slice(None)] * axis, slice(start, stop))]
        return rows if room.apart else buffer.reshape(-1)[: math.prod(rows.shape)].reshape(rows.shape)

    given = {name: part(buffer) for name, buffer in room.given.items()}
    old, new = ({name: part(kept[name], axes[name]) for name in kept} for kept in (room.old, room.new))
    return Room(given, part(room.y), old, new, part(room.lengths), room.apart)


def batch_axes(contract: Contract) -> dict[str, int]:
    """Return the batch axis of each array that a stream keeps."""
    return {s.input: s.shape.index("B") for s in contract.states} | dict.fromkeys(kept_windows(contract), 0)


def last_of(contract: Contract, y: Array32) -> Array32:
    """Return the answers after the last step, [B, ...], from the output of a graph."""
    return y[:, -1] if contract.every_step else y


def zero_states(contract: Contract, batch: int, apart: bool = False) -> dict[str, Array32]:
    """Make the state tensors of new streams, by their input names; none for a window file.

    Args:
        contract: names them.
        batch: number of streams.
        apart: store the numbers of each stream together, whatever axes come before B.
    """
    states: dict[str, Array32] = {}
    for state in contract.states:
        axis = state.shape.index("B")
        others = [int(size) for size in state.shape if size != "B"]
        shape = [batch, *others] if apart else [*others[:axis], batch, *others[axis:]]
        zeros = np.zeros(shape, np.float32)
        states[state.input] = np.moveaxis(zeros, 0, axis) if apart else zeros
    return states


def zero_given(contract: Contract, batch: int) -> dict[str, NDArray[Any]]:
    """Make the inputs of one call that come from samples.

    Returns:
        `"x"`: [B, 1, F] for a carried file, else [B, T, F]; tokens have no F. `"time_s"` int64 [B, 1] or [B, T] if the
        file takes times.
    """
    steps = 1 if contract.states else contract.window
    channels = () if contract.tokens else (len(contract.inputs),)
    given: dict[str, NDArray[Any]] = {"x": np.zeros((batch, steps, *channels), contract.inputs[0].dtype)}
    return given | ({"time_s": np.zeros((batch, steps), np.int64)} if contract.times else {})


def kept_windows(contract: Contract) -> tuple[str, ...]:
    """Name what a stream keeps of its samples: the last window for a window file, the last time for a carried one."""
    return (() if contract.states else ("x",)) + (("time_s",) if contract.times else ())


def zero_y(contract: Contract, batch: int, steps: int) -> NDArray[np.float32]:
    """Make the output y of a graph for `steps` steps."""
    leading = (batch, steps) if contract.every_step else (batch,)
    return np.zeros([int(size) for size in contract.answer_shape(*leading)], np.float32)
