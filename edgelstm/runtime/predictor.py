"""Predict with a model file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, overload

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgelstm.arrays import Array32
from edgelstm.contract import STATES, Contract, runs_rows_apart
from edgelstm.errors import InputError, ModelFileError, counted
from edgelstm.runtime.clock import as_times, check_order
from edgelstm.runtime.engine.providers import Choice, device_of
from edgelstm.runtime.engine.session import Settings, create_session
from edgelstm.runtime.engine.sharing import Token, refuse_pickle
from edgelstm.runtime.engine.threads import choose_threads
from edgelstm.runtime.file.golden import Golden
from edgelstm.runtime.file.model_file import ModelFile
from edgelstm.runtime.samples import as_float32, as_x, from_origins, to_origins
from edgelstm.runtime.streams.named import NamedStreams
from edgelstm.runtime.streams.origins import OriginStream, OriginStreams
from edgelstm.runtime.streams.room import zero_states
from edgelstm.runtime.streams.stream import Stream
from edgelstm.runtime.streams.streams import Streams


class Predictor:
    """A loaded model file. Any number of threads may share it, each with its own streams.

    Attributes:
        contract: what the file says about itself.
        golden: its recorded inputs and outputs, for `edgelstm.runtime.replay`.
        digest: SHA-256 of the file without its own hex digits, as 64 hex digits.
        device: the device that it runs on.
        choice: how the device was chosen, if the file was loaded with `"auto"`; else None.
        threads: number of threads inside one call.
        let_pass: what was accepted only because of `unverified`.
    """

    def __init__(
        self,
        model_file: ModelFile,
        device: str = "cpu",
        threads: int | None = None,
        *,
        provider_options: Mapping[str, Any] | None = None,
        spinning: bool = False,
        arena: bool = False,
    ) -> None:
        self.contract: Contract = model_file.contract
        self.golden: Golden = model_file.golden
        self.digest: str = model_file.digest
        self.device: str = device_of(device)
        self.choice: Choice | None = None
        self.threads: int = choose_threads(model_file.content) if threads is None else threads
        self.let_pass: tuple[str, ...] = model_file.let_pass
        folded = self.contract.precision == "int8w"
        self._session = create_session(
            model_file.content, Settings(self.device, self.threads, provider_options or {}, spinning, arena), folded
        )
        _check_graph(self._session, self.contract)
        self._token = Token(self._session)
        self._bare = None if self.contract.bare is self.contract else _without_origins(self)

    __reduce_ex__ = refuse_pickle

    @property
    def bare(self) -> Predictor:
        """The same file in the units of its graph and golden vectors; itself if no channel has an origin."""
        return self._bare or self

    def predict(self, x: Any, lengths: Any = None, time_s: Any = None) -> Array32:
        """Predict from one window or a batch of windows, always from a zero state.

        An int8 file is run row by row, each without its padding: its kernels take one range of the activations over a
        whole call, so a row would change with its neighbours, and with zeros after its end.

        Args:
            x: [T, F] or [B, T, F] numbers, in the physical units of `contract.inputs`. A window file takes
                T = `contract.window`, with `lengths` any T up to that; a carried file any T of at least 1. Tokens
                are whole numbers [T] or [B, T].
            lengths: for a file that takes them, the valid steps of each row, a whole number or [B]; None: all are.
                Later steps change nothing.
            time_s: for a file that takes times, the time of each sample: seconds since 1970, UTC, or
                `numpy.datetime64`, [T] or [B, T]; fractions of a second are dropped; times may not run backwards within
                a row.

        Returns:
            float32 [K, O] or [B, K, O], in the physical units of `contract.outputs`; a carried file answers
            at every step: [T, K, O] or [B, T, K, O]. To classify: [C] or [B, C]; to label: [T, O] or [B, T, O],
            NaN after the length of a row. float64 if an output has an origin.

        Raises:
            InputError: a wrong shape, not numbers, NaN or infinity; lengths or times that are missing, or that the file
                does not take.
            SharingError: this process was forked and must not use the session.

        Example:
            >>> import numpy as np
            >>> from edgelstm import load
            >>> predictor = load("models/co2/co2.fp32.onnx")
            >>> predictor.predict(np.full((104, 1), 340.0)).shape
            (12, 1)
        """
        if self._bare is not None:
            y = self._bare.predict(from_origins(x, self.contract.inputs), lengths, time_s)
            return to_origins(y, self.contract.outputs)
        single = 1 if self.contract.tokens else 2
        valid = self._as_lengths(lengths, np.shape(x), single)
        x = as_x(x if valid is None else _without_padding(x, valid, single), self.contract.inputs)
        self._check_shape(x, single)
        batch = x if x.ndim > single else x[np.newaxis]
        times = self._as_times(time_s, batch.shape[:2], valid)
        if runs_rows_apart(self.contract.precision) and (len(batch) > 1 or valid is not None):
            y = self._run_rows(batch, valid, times)
        else:
            y = self.run_batch(batch, valid, times)
        if valid is not None and self.contract.every_step:
            y[np.arange(y.shape[1]) >= valid[:, np.newaxis]] = np.nan
        return y if x.ndim > single else y[0]

    def label(self, y: Any) -> NDArray[np.str_]:
        """Name the most probable class of each answer of a file that answers with classes.

        Args:
            y: [..., C] probabilities, as `predict` or a stream gave them.

        Returns:
            Text [...], the name of an output; empty where there is no answer: after the length of a row, or from a
            stream that is not ready. For one answer [C], a single name.

        Raises:
            InputError: the file answers with numbers, or the last axis is not C.

        Example:
            >>> from edgelstm import load
            >>> load("models/co2/co2.fp32.onnx").label([[420.0]])
            Traceback (most recent call last):
            edgelstm.errors.InputError: label: this file answers with numbers, not with classes
        """
        names = [channel.name for channel in self.contract.outputs]
        if self.contract.answer != "class":
            raise InputError(f"label: this file answers with {self.contract.answer}s, not with classes")
        shares = as_float32(y)
        if shares.shape[-1:] != (len(names),):
            raise InputError(
                f"label: expected probabilities of {len(names)} classes ({', '.join(names)}) on the last axis, got "
                f"shape {shares.shape}"
            )
        best = np.where(np.isnan(shares).any(axis=-1), len(names), shares.argmax(axis=-1))
        found: NDArray[np.str_] = np.array([*names, ""])[best]
        return found

    def stream(self, batch: int = 1, state: str | None = None) -> Stream:
        """Start a stream that takes one sample at a time, from a zero state.

        Args:
            batch: number of independent streams that step together, all of them at every step; otherwise see `streams`.
            state: `"carried"` or `"window"`, to require this state of the file; None: take either.

        Returns:
            A new `Stream`; it does not share state with any other.

        Raises:
            InputError: `batch` is not a whole number of at least 1, or the file was made for another `state`.
            SharingError: this process was forked and must not use the session.

        Example:
            >>> from edgelstm import load
            >>> load("models/co2/co2.fp32.onnx").stream(state="carried")
            Traceback (most recent call last):
            edgelstm.errors.InputError: state: expected 'window'
        """
        self._check_may_stream(state)
        kind = Stream if self._bare is None else OriginStream
        return kind(self._session, self.contract, batch)

    @overload
    def streams(
        self, count: int = 0, state: str | None = None, exact: bool = True, *, names: Iterable[str]
    ) -> NamedStreams: ...

    @overload
    def streams(self, count: int = 0, state: str | None = None, exact: bool = True) -> Streams: ...

    def streams(
        self, count: int = 0, state: str | None = None, exact: bool = True, *, names: Iterable[str] | None = None
    ) -> Streams | NamedStreams:
        """Start many independent streams; those that have a sample are stepped in one call.

        Args:
            count: number of streams, from a zero state; others may join later.
            state: as for `stream`.
            exact: False runs all rows of an int8 file in one call: many times as fast, but the rows share one range of
                activations, so an answer changes with its neighbours (`contract.fidelity.neighbour_difference`). Other
                files always run in one call and are exact.
            names: names of the streams, to use names instead of numbers; `[]` if all join later.

        Returns:
            New `Streams`, or with names `NamedStreams`.

        Raises:
            InputError: `count` is not a whole number of at least 0, or is given with names; a name is not a text or
                occurs twice; or the file was made for another `state`.
            SharingError: as for `stream`.

        Example:
            >>> from edgelstm import load
            >>> streams = load("models/co2/co2.fp32.onnx").streams(1000)
            >>> streams.step([[340.0], [341.0]], at=[7, 42]).shape
            (2, 12, 1)
        """
        self._check_may_stream(state)
        if names is not None and count != 0:
            raise InputError(f"streams: expected a count or names, got the count {count!r} and names")
        kind = Streams if self._bare is None else OriginStreams
        streams = kind(self._session, self.contract, count, exact)
        return streams if names is None else NamedStreams(streams, names)

    def _check_may_stream(self, state: str | None) -> None:
        if self._token.reason:
            raise self._token.error()
        own = self.contract.state
        if state not in (None, *STATES):
            raise InputError(f"state: expected {', '.join(STATES)} or None, got {state!r}")
        if state in (None, own):
            return
        if own == "window":
            why = (
                f"it was trained from a zero state over {self.contract.window} steps and has no state to carry; its "
                "stream runs the last window at every step. For a file that steps for ever: edgelstm export RUN "
                "--state carried, best of a network that was trained so"
            )
        else:
            why = "it carries its state; for windows from a zero state, use predict"
        raise InputError(f"state: expected {own!r}, which is what this file was made for, got {state!r}: {why}")

    def _check_shape(self, x: NDArray[Any], single: int) -> None:
        window = self.contract.window
        if x.ndim not in (single, single + 1):
            axes = "T, F"[: 3 * single - 2]
            raise InputError(f"expected one window [{axes}] or a batch [B, {axes}], got shape {x.shape}")
        steps = x.shape[x.ndim - single]
        if self.contract.lengths and steps > window:
            raise InputError(f"expected windows of at most {window} steps, as in training, got {steps}")
        if self.contract.state == "window" and not self.contract.lengths and steps != window:
            raise InputError(f"expected windows of {window} steps, as in training, got {steps}")
        if 0 in x.shape:  # an empty batch kills the process in onnxruntime 1.32
            raise InputError(f"expected at least one row and one step, got shape {x.shape}")

    def _as_lengths(self, lengths: Any, shape: tuple[int, ...], single: int) -> NDArray[np.int64] | None:
        """Check one length for each row; 0 is refused, because onnxruntime would silently answer it."""
        if not self.contract.lengths:
            if lengths is not None:
                raise InputError("lengths: this file takes none, all its windows are complete; omit lengths")
            return None
        if len(shape) not in (single, single + 1):
            raise InputError(f"expected one window or a batch of them, got shape {shape}")
        rows = shape[0] if len(shape) > single else 1
        steps = shape[len(shape) - single]
        valid = np.full(rows, steps) if lengths is None else np.atleast_1d(np.asarray(lengths))
        if valid.dtype.kind not in "iu" or valid.shape != (rows,):
            expected = counted(rows, "whole number")
            raise InputError(f"lengths: expected {expected}, got {valid.dtype} of shape {valid.shape}")
        if rows and steps and not 1 <= valid.min() <= valid.max() <= steps:
            raise InputError(f"lengths: expected 1 to {steps} steps in each row, got {valid.min()} to {valid.max()}")
        return valid.astype(np.int64)

    def _as_times(
        self, time_s: Any, shape: tuple[int, ...], lengths: NDArray[np.int64] | None
    ) -> NDArray[np.int64] | None:
        """Check one time for each sample; after the length of a row any whole number is accepted, and becomes 0."""
        times = as_times(time_s, shape, self.contract)
        if times is not None:
            check_order(times, lengths)
        return times if times is None or lengths is None else _without_padding(times, lengths, 1)

    def _run_rows(
        self, batch: NDArray[Any], lengths: NDArray[np.int64] | None, times: NDArray[np.int64] | None
    ) -> Array32:
        """Run each row alone, up to its length; answers after it are NaN."""
        found = []
        for i in range(len(batch)):
            end = batch.shape[1] if lengths is None else int(lengths[i])
            valid = None if lengths is None else lengths[i : i + 1]
            y = self.run_batch(batch[i : i + 1, :end], valid, None if times is None else times[i : i + 1, :end])
            if self.contract.every_step and end < batch.shape[1]:
                behind = np.full((1, batch.shape[1] - end, *y.shape[2:]), np.nan, np.float32)
                y = np.concatenate([y, behind], axis=1)
            found.append(y)
        return np.concatenate(found)

    def run_batch(
        self,
        batch: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        time_s: NDArray[np.int64] | None = None,
    ) -> Array32:
        """Run checked windows as any ONNX client would, all rows of an int8 file in one call.

        Args:
            batch: [B, T, F] float32, in the units of the graph (see `bare`), or tokens [B, T] int64, contiguous.
            lengths: [B], for a file that takes them.
            time_s: [B, T], likewise.

        Returns:
            y, as the graph gives it.

        Raises:
            SharingError: this process was forked and must not use the session.
        """
        feeds: dict[str, NDArray[Any]] = {"x": batch}
        if lengths is not None:
            feeds["lengths"] = lengths
        if time_s is not None:
            feeds["time_s"] = time_s
        feeds.update(zero_states(self.contract, len(batch)))
        if self._token.reason:
            raise self._token.error()
        self._token.inside.append(None)
        try:
            y: Array32 = self._session.run(["y"], feeds)[0]
        finally:
            self._token.inside.pop()
        return y


def _without_origins(predictor: Predictor) -> Predictor:
    """Copy a predictor without the origins of its contract; everything else is shared."""
    bare = object.__new__(Predictor)
    bare.__dict__.update(predictor.__dict__)
    bare.contract, bare._bare = predictor.contract.bare, None
    return bare


def _check_graph(session: onnxruntime.InferenceSession, contract: Contract) -> None:
    """Check that the graph takes and gives what the contract says, by name and fixed sizes."""
    steps = ("T",) if contract.every_step else ()
    x: tuple[int | str, ...] = ("B", "T") if contract.tokens else ("B", "T", len(contract.inputs))
    inputs = {"x": x} | {s.input: s.shape for s in contract.states}
    if contract.lengths:
        inputs["lengths"] = ("B",)
    if contract.times:
        inputs["time_s"] = ("B", "T")
    outputs = {"y": contract.answer_shape("B", *steps)}
    outputs |= {s.output: s.shape for s in contract.states}
    for what, expected, found in (("takes", inputs, session.get_inputs()), ("gives", outputs, session.get_outputs())):
        got = {tensor.name: tuple(tensor.shape) for tensor in found}
        integers = {"lengths", "time_s"} | ({"x"} if contract.tokens else set())
        types = all(t.type == ("tensor(int64)" if t.name in integers else "tensor(float)") for t in found)
        if got != expected or not types:
            raise ModelFileError(f"the contract says that the graph {what} {expected}, but it {what} {got}")


def _without_padding(x: Any, lengths: NDArray[np.int64], single: int) -> Any:
    """Set zeros after the length of each row: padding may hold anything, even NaN, and must not cause a refusal."""
    x = np.array(x)
    rows = x if x.ndim > single else x[np.newaxis]
    rows[np.arange(rows.shape[1]) >= lengths[:, np.newaxis]] = 0
    return x
