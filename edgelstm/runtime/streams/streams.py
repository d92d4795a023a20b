"""Step many independent streams of one model file in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgelstm.arrays import Array32
from edgelstm.contract import Contract, runs_rows_apart
from edgelstm.errors import InputError, counted
from edgelstm.runtime.clock import as_times, backwards
from edgelstm.runtime.engine.sharing import Token, refuse_pickle
from edgelstm.runtime.samples import as_x
from edgelstm.runtime.streams.room import (
    Room,
    batch_axes,
    bind_room,
    bind_rows,
    in_turn,
    last_of,
    make_room,
    rows_of,
    zero_y,
)
from edgelstm.runtime.streams.state import all_rows_finite, beyond, check_snapshot

Places = slice | NDArray[np.int64]
MAX_STREAMS = 2**24
MAX_ROWS = 256  # in one call: 1,000 rows of 64 units exceed a cache of 1 MB and take 1.9 instead of 0.7 us each


class Streams:
    """Many independent streams; those that have a sample are stepped together; made by `Predictor.streams`.

    A stream has a number from `join` until it leaves; free numbers are used again. Each has its own state, and in fp32
    its answers are those of a separate `Stream`, bit for bit (with ELU, SELU or softplus between layers: to the last
    bit or so). An int8 file is run row by row for the same reason, unless made with `exact=False`.

    As in a `Stream`, an error leaves all streams unchanged; until a stream of a window file has seen a whole window,
    its answers are NaN and it is not `ready`. One thread may use them at a time.
    """

    def __init__(self, session: onnxruntime.InferenceSession, contract: Contract, count: int, exact: bool) -> None:
        self._session = session
        self._contract = contract
        self._token = Token(session)
        self._needed = contract.window if contract.state == "window" else 1
        self._axes = batch_axes(contract)
        self._alive = np.zeros(0, bool)
        self._seen = np.zeros(0, np.int64)
        self._kept, self._spare = self._zeros(0), self._zeros(0)  # a step of all reads one and writes the other
        self._nothing = last_of(contract, zero_y(contract, 0, 1))
        self._room = make_room(contract, 1, apart=exact and runs_rows_apart(contract.precision))
        self._singles: list[Callable[[], None]] = []  # the call of each row of the room, if they are apart
        self._blocks: dict[int, _Block] = {}
        if type(count) is not int or not 0 <= count <= MAX_STREAMS:
            raise InputError(f"count: expected a whole number from 0 to {MAX_STREAMS}, got {count!r}")
        if count:
            self.join(count)

    __reduce_ex__ = refuse_pickle

    def __len__(self) -> int:
        return int(self._alive.sum())

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The numbers of all streams, ascending: int64 [N]."""
        return np.flatnonzero(self._alive)

    @property
    def ready(self) -> NDArray[np.bool_]:
        """Which of `numbers` gave a prediction at their last step: bool [N]."""
        ready: NDArray[np.bool_] = self._seen[self._alive] >= self._needed
        return ready

    def step(self, samples: Any, at: Any = None, time_s: Any = None) -> Array32:
        """Take a sample for some streams and return the predictions after it.

        Args:
            samples: [M, F] numbers, one row for each stream of `at`, in the physical units of `contract.inputs`.
            at: the numbers of the streams that have a sample, int [M], each once, in any order; None: all. Or a mask
                over `numbers`, bool [N]: `samples` then has N rows, and those outside the mask are ignored.
            time_s: for a file that takes times, the time of the samples as for `Stream.step`: one for all, or one for
                each row.

        Returns:
            float32 [M, K, O] in the order of `samples`, in the physical units of `contract.outputs`; NaN for a stream
            that is not ready or, with a mask, was not stepped.

        Raises:
            InputError: an unknown or repeated number, a wrong shape, or as for `Stream.step`; nothing has changed.
            SharingError: another thread is using these streams, or this process was forked and must not.

        Example:
            >>> from edgelstm import load
            >>> streams = load("models/co2/co2.fp32.onnx").streams(3)
            >>> streams.step([[340.0], [341.0], [342.0]]).shape, streams.ready.tolist()
            ((3, 12, 1), [False, False, False])
        """
        with self._token:
            mask = self._mask(at)
            if mask is not None:
                samples = _rows_of(samples, mask)
                each = isinstance(time_s, (list, tuple)) or np.ndim(time_s) > 0
                time_s = _rows_of(time_s, mask) if each else time_s
            places = self._places(at if mask is None else self.numbers[mask])
            count = _count(places, len(self._alive))
            given = {"x": self._check_samples(samples, count)}
            times = as_times(time_s, (count,), self._contract)
            if times is not None:
                self._check_times(times, places)
                given["time_s"] = times
            answers = self._step(given, places, count) if count else self._nothing
            if mask is None:
                return answers
            y = np.full((len(mask), *answers.shape[1:]), np.nan, np.float32)
            y[mask] = answers
            return y

    def join(self, count: int = 1) -> NDArray[np.int64]:
        """Add streams, from a zero state; the others keep theirs.

        Args:
            count: number of new streams.

        Returns:
            Their numbers, int64 [count].

        Raises:
            InputError: not a whole number of at least 1, or more than 2**24 streams in all.

        Example:
            >>> from edgelstm import load
            >>> streams = load("models/co2/co2.fp32.onnx").streams(3)
            >>> streams.leave([1])
            >>> streams.join(2).tolist()
            [1, 3]
        """
        with self._token:
            most = MAX_STREAMS - len(self)
            if type(count) is not int or not 1 <= count <= most:
                raise InputError(f"count: expected a whole number from 1 to {most}, got {count!r}")
            missing = count - int((~self._alive).sum())
            if missing > 0:
                self._grow(missing if not len(self._alive) else max(missing, len(self._alive) // 2))
            places = np.flatnonzero(~self._alive)[:count]
            self._forget(places)
            self._alive[places] = True
            return places

    def leave(self, at: Any) -> None:
        """Drop streams; their numbers may be used again.

        Args:
            at: their numbers, int [M].

        Raises:
            InputError: an unknown or repeated number.
        """
        with self._token:
            self._alive[self._places(at)] = False

    def reset(self, at: Any = None) -> None:
        """Reset streams: zero state, empty window.

        Args:
            at: their numbers, int [M]; None: all.

        Raises:
            InputError: an unknown or repeated number.
        """
        with self._token:
            self._forget(self._places(at))

    def snapshot(self, number: int) -> dict[str, NDArray[Any]]:
        """Copy the state of one stream, for `restore` or for the `state` of a `Stream` of the same file.

        Args:
            number: number of the stream.

        Returns:
            As `Stream.state` gives it, for a batch of one.

        Raises:
            InputError: there is no such stream.

        Example:
            >>> from edgelstm import load
            >>> predictor = load("models/co2/co2.fp32.onnx")
            >>> streams, stream = predictor.streams(5), predictor.stream()
            >>> stream.state = streams.snapshot(3)
        """
        with self._token:
            return self._snapshot(self._places([number]))

    def restore(self, number: int, snapshot: dict[str, NDArray[Any]]) -> None:
        """Set the state of a stream to that of another one, here or a `Stream` of the same file.

        Args:
            number: number of the stream.
            snapshot: what `snapshot` or `Stream.state` gave.

        Raises:
            InputError: there is no such stream, or the snapshot is damaged or of another file; nothing has changed.
        """
        with self._token:
            place = self._places([number])
            check_snapshot(snapshot, self._snapshot(place), self._contract)
            self._set({name: snapshot[name] for name in self._axes}, place, snapshot["seen"])

    def _mask(self, at: Any) -> NDArray[np.bool_] | None:
        """Return `at` if it is a mask over all streams."""
        mask = None if at is None else np.asarray(at)
        if mask is None or mask.dtype != bool:
            return None
        if mask.shape != (len(self),):
            raise InputError(f"at: expected a mask over {len(self)} streams, [{len(self)}], got shape {mask.shape}")
        return mask

    def _places(self, at: Any) -> Places:
        """Check the numbers of streams; a slice means all of them, without a gap."""
        if at is None:
            return slice(0, len(self._alive)) if self._alive.all() else np.flatnonzero(self._alive)
        numbers = np.asarray(at)
        if numbers.ndim != 1 or (numbers.dtype.kind not in "iu" and numbers.size):
            raise InputError(f"at: expected numbers of streams, int [M], got {numbers.dtype} of shape {numbers.shape}")
        places = numbers.astype(np.int64)
        inside = (places >= 0) & (places < len(self._alive))
        known = inside & self._alive[np.where(inside, places, 0)] if len(self._alive) else inside
        if not known.all():
            raise InputError(f"at: there is no stream {numbers[~known][0]}; Streams.numbers lists them all")
        hits = np.bincount(places, minlength=1)
        if hits.max() > 1:
            raise InputError(f"at: stream {hits.argmax()} occurs twice; a step takes one sample for each")
        return places

    def _check_samples(self, samples: Any, count: int) -> NDArray[Any]:
        channels = () if self._contract.tokens else (len(self._contract.inputs),)
        x = as_x(samples, self._contract.inputs) if count or np.size(samples) else np.zeros((0, *channels))
        if x.shape != (count, *channels):
            one = f" of {counted(channels[0], 'channel')}" if channels else ""
            raise InputError(f"expected a sample{one} for each of {counted(count, 'stream')}, got shape {x.shape}")
        return x

    def _check_times(self, times: NDArray[np.int64], places: Places) -> None:
        before = self._get("time_s", places)[:, -1]
        back = (times < before) & (self._seen[places] > 0)
        if back.any():
            row = int(back.argmax())
            raise backwards(before[row], times[row], f" for the sample of row {row}")

    def _step(self, given: dict[str, NDArray[Any]], places: Places, count: int) -> Array32:
        """Run all parts, then keep the results."""
        size = -(-count // -(-count // MAX_ROWS))  # even sizes, because parts share their buffers
        starts = range(0, count, size)
        parts = [_part(places, start, min(start + size, count)) for start in starts]
        seen = self._seen[places] + 1
        ready = seen >= self._needed
        results = [
            self._run(
                {name: rows[start : start + size] for name, rows in given.items()},
                part,
                bool(ready[start : start + size].any()),
                len(parts) > 1,
            )
            for start, part in zip(starts, parts, strict=True)
        ]
        y = np.concatenate([answer for answer, _ in results]) if len(results) > 1 else results[0][0]
        if not all_rows_finite(y[ready]):
            raise beyond()
        y[~ready] = np.nan
        sets = self._spare, self._kept

        def keep() -> None:
            if isinstance(places, slice):
                self._kept, self._spare = sets
            for part, (_, new) in zip(parts, results, strict=True):
                self._put(new, part)
            self._seen[places] = seen

        _surely(keep)
        return y

    def _run(
        self, given: dict[str, NDArray[Any]], places: Places, ready: bool, copy: bool
    ) -> tuple[Array32, dict[str, NDArray[Any]]]:
        """Run some streams in one call; return their answers and the states still to keep (none if all are run)."""
        run, room = self._block(len(given["x"]))
        for name, rows in given.items():
            buffer = room.given[name]
            if name in self._axes:
                buffer[:, :-1] = self._get(name, places)[:, 1:]
            buffer[:, -1] = rows
        for name, buffer in room.old.items():
            buffer[...] = self._get(name, places)
        if ready:
            run()
        answer = last_of(self._contract, room.y).copy()
        if isinstance(places, slice):
            self._put(room.new, places, self._spare)
            return answer, {}
        return answer, {name: tensor.copy() for name, tensor in room.new.items()} if copy else room.new

    def _block(self, count: int) -> _Block:
        """Return the call for `count` rows, bound once; all calls share their buffers, so that memory stays flat."""
        rows = len(self._room.lengths)
        if count > rows:
            self._blocks.clear()
            self._singles.clear()
            self._room = make_room(self._contract, max(count, min(2 * rows, MAX_ROWS)), self._room.apart)
        if count not in self._blocks:
            part = rows_of(self._contract, self._room, 0, count)
            self._blocks[count] = _Block(self._bind(part, count), part)
        return self._blocks[count]

    def _bind(self, part: Room, count: int) -> Callable[[], None]:
        if not part.apart:
            return bind_room(self._session, self._contract, part)
        self._singles = self._singles or bind_rows(self._session, self._contract, self._room)
        return in_turn(self._singles[:count])

    def _zeros(self, count: int) -> dict[str, NDArray[Any]]:
        return make_room(self._contract, count, apart=False).new

    def _grow(self, count: int) -> None:
        for name, zeros in self._zeros(count).items():
            self._kept[name] = np.concatenate([self._kept[name], zeros], axis=self._axes[name])
            self._spare[name] = np.zeros_like(self._kept[name])
        self._seen = np.concatenate([self._seen, np.zeros(count, np.int64)])
        self._alive = np.concatenate([self._alive, np.zeros(count, bool)])

    def _forget(self, places: Places) -> None:
        self._set(dict.fromkeys(self._axes, 0), places, 0)

    def _set(self, values: Mapping[str, Any], places: Places, seen: Any) -> None:
        def keep() -> None:
            self._put(values, places)
            self._seen[places] = seen

        _surely(keep)

    def _snapshot(self, place: Places) -> dict[str, NDArray[Any]]:
        kept = {name: self._get(name, place).copy() for name in self._axes}
        return {"seen": self._seen[place].copy(), **kept}

    def _get(self, name: str, places: Places) -> NDArray[Any]:
        return self._kept[name][(*[slice(None)] * self._axes[name], places)]

    def _put(self, values: Mapping[str, Any], places: Places, kept: dict[str, NDArray[Any]] | None = None) -> None:
        for name, value in values.items():
            (kept or self._kept)[name][(*[slice(None)] * self._axes[name], places)] = value


class _Block(NamedTuple):
    """The call for some number of rows, and the part of the room that it runs on."""

    run: Callable[[], None]
    room: Room


def _surely(keep: Callable[[], None]) -> None:
    """Run to the end, and again if a Ctrl-C interrupts: half a state is useless."""
    try:
        keep()
    except BaseException:
        keep()
        raise


def _part(places: Places, start: int, stop: int) -> Places:
    return slice(start, stop) if isinstance(places, slice) else places[start:stop]


def _count(places: Places, capacity: int) -> int:
    return capacity if isinstance(places, slice) else len(places)


def _rows_of(samples: Any, mask: NDArray[np.bool_]) -> Any:
    """Take the samples of the streams in the mask, before the others are checked."""
    rows = samples if isinstance(samples, np.ndarray) else np.array(samples, object)
    if rows.ndim == 0 or len(rows) != len(mask):
        raise InputError(
            f"expected a sample for each of {len(mask)} streams, in the mask or not, got shape {rows.shape}"
        )
    return rows[mask] if isinstance(samples, np.ndarray) else rows[mask].tolist()
