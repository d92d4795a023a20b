"""The buffers that a step reads and writes, and the calls over them: what one stream and many are made of."""

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
        given: what the graph takes of samples: `"x"` and, where it takes it, `"time_s"`.
        y: what it gives.
        old, new: what the streams kept, and will keep: state tensors, and of `given` what `kept_windows` names. Only a
            room of `make_turns` has those in `old`; many streams move their windows on from where they keep them.
        lengths: where the graph takes them, the whole window.
        apart: each row is run by itself, so that each lies in memory by itself.
    """

    given: dict[str, NDArray[Any]]
    y: Array32
    old: dict[str, NDArray[Any]]
    new: dict[str, NDArray[Any]]
    lengths: NDArray[np.int64]
    apart: bool


def make_room(contract: Contract, rows: int, apart: bool) -> Room:
    """Make the buffers of a call of so many rows, or of a call for each."""
    given = zero_given(contract, rows)
    new = {**zero_states(contract, rows, apart), **{name: given[name] for name in kept_windows(contract)}}
    y, lengths = zero_y(contract, rows, given["x"].shape[1]), np.full(rows, contract.window, np.int64)
    return Room(given, y, zero_states(contract, rows, apart), new, lengths, apart)


def make_turns(contract: Contract, rows: int, apart: bool) -> tuple[Room, Room]:
    """Make two rooms of which each reads what the other keeps, so that nothing is copied from step to step."""
    room, other = make_room(contract, rows, apart), zero_given(contract, rows)
    windows = {name: other[name] for name in kept_windows(contract)}
    first = room._replace(old={**room.old, **windows})
    return first, first._replace(given={**room.given, **windows}, old=first.new, new=first.old)


def bind_room(session: onnxruntime.InferenceSession, contract: Contract, room: Room) -> Callable[[], None]:
    """Bind the rows of a room: the call runs them together, or one behind the other where they are to be apart."""
    if room.apart:
        return in_turn(bind_rows(session, contract, room))
    inputs = {**room.old, **room.given} | ({"lengths": room.lengths} if contract.lengths else {})
    outputs = {"y": room.y} | {state.output: room.new[state.input] for state in contract.states}
    return bind(session, inputs, outputs)


def bind_rows(session: onnxruntime.InferenceSession, contract: Contract, room: Room) -> list[Callable[[], None]]:
    """Bind each row of a room whose rows are apart, which neighbours in a call would change: those of an int8 file."""
    rows = [rows_of(contract, room, row, row + 1) for row in range(len(room.lengths))]
    return [bind_room(session, contract, row._replace(apart=False)) for row in rows]


def in_turn(runs: Sequence[Callable[[], None]]) -> Callable[[], None]:
    """Make one call of several."""
    if len(runs) == 1:
        return runs[0]

    def run() -> None:
        for run in runs:
            run()

    return run


def rows_of(contract: Contract, room: Room, start: int, stop: int) -> Room:
    """Give the rows from one to another; where they are not apart, the first ones, packed as a call takes them."""
    axes = batch_axes(contract)

    def part(buffer: NDArray[Any], axis: int = 0) -> NDArray[Any]:
        rows = buffer[(*[slice(None)] * axis, slice(start, stop))]
        return rows if room.apart else buffer.reshape(-1)[: math.prod(rows.shape)].reshape(rows.shape)

    given = {name: part(buffer) for name, buffer in room.given.items()}
    old, new = ({name: part(kept[name], axes[name]) for name in kept} for kept in (room.old, room.new))
    return Room(given, part(room.y), old, new, part(room.lengths), room.apart)


def batch_axes(contract: Contract) -> dict[str, int]:
    """Tell which axis of each thing that a stream keeps is B."""
    return {s.input: s.shape.index("B") for s in contract.states} | dict.fromkeys(kept_windows(contract), 0)


def last_of(contract: Contract, y: Array32) -> Array32:
    """Give the answers behind the last step, [B, ...], of what a graph gave."""
    return y[:, -1] if contract.every_step else y


def zero_states(contract: Contract, batch: int, apart: bool = False) -> dict[str, Array32]:
    """Make the state tensors of so many streams that begin, by their input names; none for a window file.

    Args:
        contract: names them.
        batch: how many streams.
        apart: let the numbers of each stream lie together in memory, whatever axes come before B.
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
