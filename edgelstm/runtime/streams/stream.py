"""Step a model file sample by sample, as its contract allows."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, isfinite
from typing import Any

import numpy as np
import onnxruntime
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgelstm.arrays import Array32
from edgelstm.contract import Contract, runs_rows_apart
from edgelstm.errors import InputError
from edgelstm.runtime.clock import MAX_TIME_S, as_times, backwards, check_order
from edgelstm.runtime.engine.sharing import Token, refuse_pickle
from edgelstm.runtime.samples import as_x
from edgelstm.runtime.streams.room import Room, bind_room, last_of, make_turns
from edgelstm.runtime.streams.state import all_rows_finite, beyond, check_rows, check_snapshot

_SUMMED = 48  # channels up to which a sum of Python floats is the cheapest check for NaN: 0.16 us for 8, 0.57 for any F
_ndarray, _ALL = np.ndarray, slice(None)  # looked up or made once
_SECONDS = frozenset((int, float))
_WINDOWS = 256  # windows of a chunk that are run in one call


class Stream:
    """One or more independent streams that step together; made by `Predictor.stream`.

    A carried network keeps its state between steps: in fp32 the answers equal those of the same samples given as one
    window, bit for bit, however they are split. A window network was not trained for that: its stream keeps the last
    `contract.window` samples and runs them from a zero state at every step; until it has that many, `ready` is False
    and the answers are NaN. A file that takes times needs the time of each sample; times may not run backwards.

    The state is stored twice, and a step reads one copy and writes the other: an error, or a Ctrl-C, leaves the stream
    unchanged. One thread may use a stream at a time; a second one is refused. A stream cannot be pickled or copied, but
    its `state` can. After a fork the child may continue with it if the session has one thread.
    """

    def __init__(self, session: onnxruntime.InferenceSession, contract: Contract, batch: int) -> None:
        if type(batch) is not int or batch < 1:
            raise InputError(f"batch: expected a whole number of at least 1, got {batch!r}")
        self._session = session
        self._contract = contract
        self._batch = batch
        self._carried = contract.state == "carried"
        self._needed = 1 if self._carried else contract.window
        self._seen = self._turn = 0
        self._token = Token(session)
        self._free = self._token.free
        self._timed = contract.times
        self._apart = runs_rows_apart(contract.precision)
        self._rooms = make_turns(contract, batch, self._apart)
        self._runs = tuple(bind_room(session, contract, room) for room in self._rooms)
        self._moves = () if self._carried else _moves(self._rooms, "x")
        self._time_moves = _moves(self._rooms, "time_s") if contract.times else ()
        self._answer = last_of(contract, self._rooms[0].y)
        self._first = self._answer[0]
        self._probe = memoryview(self._first.reshape(-1)[:1])
        # A sample is written here and checked before it enters the stream.
        x = self._rooms[0].given["x"]
        self._new = x[:, 0] if self._carried else x[:, 0].copy()
        self._finite = np.empty(self._new.shape, bool)
        self._numbers: Any = memoryview(self._new[0]) if batch == 1 and not contract.tokens else memoryview(b"")
        self._summed = len(contract.inputs) <= _SUMMED

    __reduce_ex__ = refuse_pickle

    @property
    def ready(self) -> bool:
        """Whether the last answer was a prediction: a window network must have seen a whole window."""
        return self._seen >= self._needed

    def step(self, sample: Any, time_s: Any = None, copy: bool = True) -> Array32:
        """Take one sample per stream and return the predictions after it.

        A float32 array of shape [F] is fastest; other numbers are converted, which takes a few microseconds.

        Args:
            sample: [F] numbers (if `batch` is 1) or [B, F], in the physical units of `contract.inputs`.
            time_s: for a file that takes times, when the sample was taken: seconds since 1970, UTC, such as
                `time.time()`, or a `numpy.datetime64`; one, or [B]. Fractions of a second are dropped.
            copy: False gives a view of the stream's own buffer, which the next step overwrites.

        Returns:
            float32 [K, O] or [B, K, O], in the physical units of `contract.outputs`; NaN while not `ready`.

        Raises:
            InputError: a wrong shape, not numbers, NaN or infinity, or numbers so large that the network answers NaN or
                infinity; no time, one before that of the last sample, or one that the file does not take; the state is
                unchanged.
            SharingError: another thread is stepping this stream, or this process was forked and must not.

        Example:
            >>> from edgelstm import load
            >>> stream = load("models/co2/co2.fp32.onnx").stream()
            >>> stream.step([340.0]).shape, stream.ready
            ((12, 1), False)
        """
        try:
            self._free.pop()
        except IndexError:
            raise self._token.error() from None
        try:
            single = True
            try:
                if type(sample) is not _ndarray:
                    raise TypeError
                self._numbers[_ALL] = sample  # refuses what is not float32 [F]: ValueError, NotImplementedError
                if not (isfinite(sum(self._numbers)) if self._summed else self._all_finite()):
                    raise ValueError
            except (TypeError, ValueError, NotImplementedError):
                single = self._take(sample)
            turn, seen = self._turn, self._seen + 1
            if time_s is not None or self._timed:
                self._take_time(time_s)
            if not self._carried:
                kept, moved, last, _ = self._moves[turn]
                kept[...] = moved
                last[...] = self._new
            answer = self._first if single else self._answer
            if seen < self._needed:
                answer = np.full_like(answer, np.nan)
            else:
                self._runs[turn]()
                if not (isfinite(self._probe[0]) if self._batch == 1 else all_rows_finite(self._answer)):
                    raise beyond()
                if copy:
                    answer = answer.copy()
            self._turn = 1 - turn
            self._seen = seen
            return answer
        finally:
            self._free.append(None)

    def run(self, chunk: Any, time_s: Any = None) -> Array32:
        """Take a part of a series and return the predictions after each of its samples, as single steps would.

        Much faster than steps, except for an int8 file: its kernel takes one range of the activations over a call, so
        it runs sample by sample here too. An error leaves the stream as it was before this part.

        Args:
            chunk: [T, F] numbers (if `batch` is 1) or [B, T, F], in the physical units of `contract.inputs`.
            time_s: for a file that takes times, the times of the samples as for `step`: [T], or [B, T].

        Returns:
            float32 [T, K, O] or [B, T, K, O]; NaN until a window file has seen a whole window.

        Raises:
            InputError: no samples, or as for `step`.
            SharingError: as for `step`.

        Example:
            >>> from edgelstm import load
            >>> stream = load("models/co2/co2.fp32.onnx").stream()
            >>> stream.run([[340.0], [341.0]]).shape, stream.ready
            ((2, 12, 1), False)
        """
        x = as_x(chunk, self._contract.inputs)
        axes = self._new.ndim  # of [T, F] or, of tokens, [T]
        single = x.ndim == axes and self._batch == 1
        batch = x[np.newaxis] if single else x
        if (
            batch.ndim != axes + 1
            or len(batch) != self._batch
            or batch.shape[2:] != self._new.shape[1:]
            or not batch.size
        ):
            one = ", F" if axes == 2 else ""
            raise InputError(
                f"expected at least one sample: [T{one}] or, with a batch of {self._batch}, [{self._batch}, T{one}], "
                f"got shape {x.shape}"
            )
        given = {"x": batch}
        times = as_times(time_s, batch.shape[:2], self._contract)
        if times is not None:
            given["time_s"] = times
        with self._token:
            if times is not None:
                self._check_times(times)
            if not self._carried:
                y = self._run_windows(given)
            elif self._apart:
                y = self._run_steps(given)
            else:
                y = self._run_carried(given)
        return y[0] if single else y

    def reset(self) -> None:
        """Forget everything: zero state, empty window.

        Raises:
            SharingError: as for `step`.
        """
        with self._token:
            self._restore({name: np.zeros_like(tensor) for name, tensor in self._snapshot().items()})

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """A snapshot that may be assigned to this stream, or to one of the same file and batch elsewhere.

        Returns:
            Copies: `"seen"` int64 [1], the samples so far; a window file's `"x"` float32 [B, T, F]; a carried
            file's state tensors under their input names, as in `contract.states`; for a file that takes times,
            `"time_s"` int64, those of the window [B, T] or the last one [B, 1].
        """
        with self._token:
            return self._snapshot()

    @state.setter
    def state(self, snapshot: dict[str, NDArray[Any]]) -> None:
        with self._token:
            check_snapshot(snapshot, self._snapshot(), self._contract)
            self._restore(snapshot)

    def _take(self, sample: Any) -> bool:
        """Check and convert any sample; return whether it came as [F]."""
        samples = as_x(sample, self._contract.inputs)
        single = samples.shape == self._new.shape[1:] and self._batch == 1
        if not single and samples.shape != self._new.shape:
            one, many = ("token", f"[{self._batch}] of them") if self._new.ndim == 1 else ("[F]", f"[{self._batch}, F]")
            raise InputError(
                f"expected one sample {one} or, with a batch of {self._batch}, {many}, got shape {samples.shape}"
            )
        self._new[...] = samples
        return single

    def _take_time(self, time_s: Any) -> None:
        """Check the time of a sample and write it into the window of this step; nothing else reads it earlier."""
        known = self._timed and type(time_s) in _SECONDS and -MAX_TIME_S <= time_s <= MAX_TIME_S
        times: Any = floor(time_s) if known else as_times(time_s, (self._batch,), self._contract)
        kept, moved, last, before = self._time_moves[self._turn]
        if self._seen and (before > times).any():
            raise backwards(before.max(), np.min(times))
        kept[...] = moved
        last[...] = times

    def _check_times(self, times: NDArray[np.int64]) -> None:
        """Check that the times of a part continue from the last one."""
        check_order(times, before=self._rooms[self._turn].old["time_s"][:, -1] if self._seen else None)

    def _all_finite(self) -> bool:
        return b"\0" not in np.isfinite(self._new, self._finite).tobytes()

    def _run_carried(self, given: dict[str, NDArray[Any]]) -> Array32:
        """Run all steps in one call; the new state goes where the next step reads."""
        room = self._rooms[self._turn]
        states = self._contract.states
        y, *values = self._session.run(["y", *(state.output for state in states)], {**room.old, **given})
        check_rows(y, axes=2)
        kept = {state.input: value for state, value in zip(states, values, strict=True)}
        kept |= {name: given[name][:, -1:] for name in room.new.keys() - kept.keys()}
        self._keep(kept, self._seen + given["x"].shape[1])
        return y  # type: ignore[no-any-return]

    def _run_steps(self, given: dict[str, NDArray[Any]]) -> Array32:
        """Run step by step, as `step` does; an error restores everything."""
        count = given["x"].shape[1]
        y = np.empty((self._batch, count, *self._answer.shape[1:]), np.float32)
        before = self._snapshot()
        try:
            for t in range(count):
                for name, values in given.items():
                    self._rooms[self._turn].given[name][:, 0] = values[:, t]
                self._runs[self._turn]()
                check_rows(self._answer)
                y[:, t] = self._answer
                self._turn = 1 - self._turn
        except BaseException:
            self._restore(before)
            raise
        self._seen += count
        return y

    def _run_windows(self, given: dict[str, NDArray[Any]]) -> Array32:
        """Run every window that ends in the part, many in one call, or one by one for an int8 file."""
        count, window = given["x"].shape[1], self._contract.window
        old = self._rooms[self._turn].old
        series = {name: np.concatenate([old[name], given[name]], axis=1) for name in given}
        windows = {
            name: np.moveaxis(sliding_window_view(values, window, axis=1), -1, 2)[:, 1:]
            for name, values in series.items()
        }
        y = np.full((self._batch, count, *self._answer.shape[1:]), np.nan, np.float32)
        together = 1 if self._apart else _WINDOWS
        for row in range(self._batch):
            for start in range(max(0, window - self._seen - 1), count, together):
                some = slice(start, start + together)
                part = {name: np.ascontiguousarray(values[row, some]) for name, values in windows.items()}
                y[row, some] = run_windows(self._session, self._contract, part)
                check_rows(y[row, some])
        self._keep({name: values[:, -window:] for name, values in series.items()}, self._seen + count)
        return y

    def _snapshot(self) -> dict[str, NDArray[Any]]:
        kept = {name: buffer.copy() for name, buffer in self._rooms[self._turn].old.items()}
        return {"seen": np.array([self._seen], np.int64), **kept}

    def _restore(self, snapshot: dict[str, NDArray[Any]]) -> None:
        self._keep({name: snapshot[name] for name in self._rooms[0].old}, int(snapshot["seen"][0]))

    def _keep(self, values: Mapping[str, NDArray[Any]], seen: int) -> None:
        """Write the new state to the unused copy, then switch to it: an interruption leaves the old one complete."""
        for name, value in values.items():
            self._rooms[self._turn].new[name][...] = value
        self._seen, self._turn = seen, 1 - self._turn


def run_windows(session: onnxruntime.InferenceSession, contract: Contract, given: dict[str, NDArray[Any]]) -> Array32:
    """Run windows of a window file from a zero state, and return the answers after their last steps, [B, ...]."""
    feeds = dict(given)
    if contract.lengths:
        feeds["lengths"] = np.full(len(given["x"]), contract.window, np.int64)
    return last_of(contract, session.run(["y"], feeds)[0])


def _moves(rooms: tuple[Room, Room], name: str) -> tuple[tuple[NDArray[Any], ...], ...]:
    """Views to shift a window, in either turn: target and source of its last samples, the next place, the last."""
    turns = ((room.new[name], room.old[name]) for room in rooms)
    return tuple((new[:, :-1], old[:, 1:], new[:, -1], old[:, -1]) for new, old in turns)
