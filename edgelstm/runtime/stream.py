"""Step a model file sample by sample, the way its contract allows."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgelstm.contract import Contract
from edgelstm.errors import InputError
from edgelstm.runtime.samples import as_x

Array = NDArray[np.float32]
MAX_SEEN = 2**62  # samples; a stream at 1 MHz gets there in 146,000 years


class Stream:
    """One or more independent streams that step together; made by `Predictor.stream`.

    A carried network carries its state on: in fp32 the answers equal those of the same samples given as one
    window, bit for bit, however they are split. A window network was never trained for that: its stream keeps
    the last `contract.window` samples and runs them from a zero state at every step; until it has as many,
    `ready` is False and the answers are NaN.

    A stream belongs to one thread at a time.
    """

    def __init__(self, session: onnxruntime.InferenceSession, contract: Contract, batch: int) -> None:
        if type(batch) is not int or batch < 1:
            raise InputError(f"batch: expected a whole number of at least 1, got {batch!r}")
        self._contract = contract
        self._batch = batch
        self._carried = contract.state == "carried"
        length = 1 if self._carried else contract.window
        every = (length,) if contract.every_step else ()
        self._channels = () if contract.tokens else (len(contract.inputs),)
        self._x: NDArray[Any] = np.zeros((batch, length, *self._channels), contract.inputs[0].dtype)
        self._y: Array = np.zeros([int(size) for size in contract.answer_shape(batch, *every)], np.float32)
        self._answer = self._y[:, -1] if contract.every_step else self._y
        self._seen = 0
        rows = 1 if contract.precision == "int8" else batch  # int8 neighbours would change each other's answers
        self._lanes = [
            _Lane(session, contract, self._x[i : i + rows], self._y[i : i + rows]) for i in range(0, batch, rows)
        ]

    @property
    def ready(self) -> bool:
        """Whether the last answer was a prediction: a window network must have seen a whole window."""
        return self._seen >= (1 if self._carried else self._contract.window)

    def step(self, sample: Any, copy: bool = True) -> Array:
        """Take one sample per stream and give the predictions after it.

        Args:
            sample: [F] numbers (if `batch` is 1) or [B, F], in the physical units of `contract.inputs`.
            copy: False gives a view of the stream's own buffer, which the next step overwrites.

        Returns:
            float32 [K, O] or [B, K, O], in the physical units of `contract.outputs`; NaN while not `ready`.

        Raises:
            InputError: a wrong shape, no numbers, NaN or infinity; the state is as it was before.

        Example:
            >>> from edgelstm import load
            >>> stream = load("models/co2/co2.fp32.onnx").stream()
            >>> stream.step([340.0]).shape, stream.ready
            ((12, 1), False)
        """
        samples = as_x(sample, self._contract.inputs)
        single = samples.shape == self._channels and self._batch == 1
        if not single and samples.shape != (self._batch, *self._channels):
            one, many = ("[F]", f"[{self._batch}, F]") if self._channels else ("token", f"[{self._batch}] of them")
            raise InputError(
                f"expected one sample {one} or, with a batch of {self._batch}, {many}, got shape {samples.shape}"
            )
        if self._carried:
            self._x[:, 0] = samples
        else:
            self._x[:, :-1] = self._x[:, 1:]
            self._x[:, -1] = samples
        self._seen += 1
        if self.ready:
            for lane in self._lanes:
                lane.run()
            answer = self._answer.copy() if copy else self._answer
        else:
            answer = np.full_like(self._answer, np.nan)
        return answer[0] if single else answer

    def reset(self) -> None:
        """Forget everything: zero state, empty window."""
        self._seen = 0
        self._x[:] = 0
        for lane in self._lanes:
            for tensor in lane.state.values():
                tensor[:] = 0

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """A snapshot that may be assigned back, here or to a stream of the same file and batch elsewhere.

        Returns:
            Copies: `"seen"` int64 [1], the samples so far; a window file's `"x"` float32 [B, T, F]; a carried
            file's state tensors under their input names, as in `contract.states`.
        """
        snapshot: dict[str, NDArray[Any]] = {"seen": np.array([self._seen], np.int64)}
        if not self._carried:
            snapshot["x"] = self._x.copy()
        for state in self._contract.states:
            parts = [lane.state[state.input] for lane in self._lanes]
            snapshot[state.input] = np.concatenate(parts, axis=state.shape.index("B"))
        return snapshot

    @state.setter
    def state(self, snapshot: dict[str, NDArray[Any]]) -> None:
        self._check_snapshot(snapshot)
        self._seen = int(snapshot["seen"][0])
        if not self._carried:
            self._x[:] = snapshot["x"]
        for state in self._contract.states:
            axis = state.shape.index("B")
            parts = np.split(snapshot[state.input], len(self._lanes), axis=axis)
            for lane, part in zip(self._lanes, parts, strict=True):
                lane.state[state.input][:] = part

    def _check_snapshot(self, snapshot: dict[str, NDArray[Any]]) -> None:
        expected = self.state
        if not isinstance(snapshot, dict) or snapshot.keys() != expected.keys():
            got = ", ".join(map(str, snapshot)) if isinstance(snapshot, dict) else type(snapshot).__name__
            raise InputError(f"state: expected a snapshot with {', '.join(expected)}, got {got}")
        for name, tensor in expected.items():
            value = snapshot[name]
            if not isinstance(value, np.ndarray) or value.shape != tensor.shape or value.dtype != tensor.dtype:
                raise InputError(f"state: {name!r}: expected {tensor.dtype} {tensor.shape}, got {_describe(value)}")
            if not np.isfinite(value).all():
                raise InputError(f"state: {name!r} holds NaN or infinity")
        if not 0 <= snapshot["seen"][0] <= MAX_SEEN:
            raise InputError(f"state: 'seen' must be from 0 to 2**62, got {snapshot['seen'][0]}")


class _Lane:
    """The rows that go through onnxruntime in one call, over buffers that are bound once.

    A carried file has two sets of state tensors and two bindings, used in turn: the outputs of one are the
    inputs of the other, so that no state is ever copied. A window file has no state and one binding.
    """

    def __init__(self, session: onnxruntime.InferenceSession, contract: Contract, x: NDArray[Any], y: Array) -> None:
        self._session = session
        sets = [
            {
                state.input: np.zeros([len(x) if size == "B" else int(size) for size in state.shape], np.float32)
                for state in contract.states
            }
            for _ in range(2)
        ]
        turns = [(sets[0], sets[1]), (sets[1], sets[0])] if contract.states else [({}, {})]
        outputs = {state.input: state.output for state in contract.states}
        self._sets = sets
        inputs: dict[str, NDArray[Any]] = {"x": x}
        if contract.lengths:
            inputs["lengths"] = np.full(len(x), contract.window, np.int64)
        self._inputs = inputs  # bound by their memory, which must live
        self._bindings = [_bind(session, {**inputs, **old}, y, new, outputs) for old, new in turns]
        self._turn = 0

    @property
    def state(self) -> dict[str, Array]:
        """The tensors that the next call will read, by input name."""
        return self._sets[self._turn]

    def run(self) -> None:
        """Run once; the answer and the new state lie in the bound buffers afterwards."""
        # Without RunOptions: given any, onnxruntime 1.32's Python side spends 40 us on looking into them.
        self._session.run_with_iobinding(self._bindings[self._turn])
        self._turn = (self._turn + 1) % len(self._bindings)


def _bind(
    session: onnxruntime.InferenceSession,
    inputs: dict[str, NDArray[Any]],
    y: Array,
    new: dict[str, Array],
    outputs: dict[str, str],
) -> onnxruntime.IOBinding:
    """Bind numpy buffers by their memory; the caller keeps them alive."""
    binding = session.io_binding()
    for name, buffer in inputs.items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(buffer))
    binding.bind_ortvalue_output("y", onnxruntime.OrtValue.ortvalue_from_numpy(y))
    for name, buffer in new.items():
        binding.bind_ortvalue_output(outputs[name], onnxruntime.OrtValue.ortvalue_from_numpy(buffer))
    return binding


def _describe(value: Any) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
