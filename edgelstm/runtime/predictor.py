"""Load a model file and predict with it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgelstm.contract import Contract
from edgelstm.errors import InputError, ModelFileError
from edgelstm.runtime.golden import Golden
from edgelstm.runtime.model_file import ModelFile, read_model_file
from edgelstm.runtime.samples import as_samples
from edgelstm.runtime.session import create_session
from edgelstm.runtime.stream import Stream

Array = NDArray[np.float32]


def load(path: str | os.PathLike[str], device: str = "cpu", threads: int = 1) -> Predictor:
    """Load a model file: check its bytes and its contract, then open it in onnxruntime.

    Args:
        path: a file written by `edgelstm export`.
        device: `"cpu"` or `"cuda"`.
        threads: for the work inside one call; 1 is quickest for most LSTMs on small devices.

    Returns:
        A predictor, ready to run.

    Raises:
        ModelFileNotFoundError: there is no such file.
        ModelFileError: the file is damaged, altered, foreign or of a newer format.
        ProviderError: the device is not to be had.

    Example:
        >>> predictor = load("models/co2/co2.fp32.onnx")
        >>> predictor.contract.window, predictor.contract.horizon
        (104, 12)
    """
    return Predictor(read_model_file(path), device, threads)


class Predictor:
    """A loaded model file.

    Attributes:
        contract: what the file says about itself.
        golden: its recorded inputs and outputs, for `edgelstm.runtime.replay`.
        digest: SHA-256 of the file without its own hex digits, as 64 hex digits.
        device: what it runs on.
    """

    def __init__(self, model_file: ModelFile, device: str = "cpu", threads: int = 1) -> None:
        self.contract: Contract = model_file.contract
        self.golden: Golden = model_file.golden
        self.digest: str = model_file.digest
        self.device: str = device
        self._session = create_session(model_file.content, device, threads)
        _check_graph(self._session, self.contract)
        self._states = {
            state.input: tuple(0 if size == "B" else int(size) for size in state.shape)
            for state in self.contract.states
        }

    def predict(self, x: Any) -> Array:
        """Predict from one window or a batch of windows, always from a zero state.

        An int8 file is run row by row: its kernel takes the range of the activations over the whole batch, so
        that in a batch a row would change with its neighbours.

        Args:
            x: [T, F] or [B, T, F] numbers, in the physical units of `contract.inputs`. A window file takes
                T = `contract.window`; a carried file any T of at least 1.

        Returns:
            float32 [K, O] or [B, K, O], in the physical units of `contract.outputs`; a carried file answers
            at every step: [T, K, O] or [B, T, K, O].

        Raises:
            InputError: a wrong shape, no numbers, NaN or infinity.

        Example:
            >>> import numpy as np
            >>> predictor = load("models/co2/co2.fp32.onnx")
            >>> predictor.predict(np.full((104, 1), 340.0)).shape
            (12, 1)
        """
        x = as_samples(x, self.contract.inputs)
        self._check_shape(x)
        batch = x if x.ndim == 3 else x[np.newaxis]
        if self.contract.precision == "int8" and len(batch) > 1:
            y = np.concatenate([self._run(row) for row in batch[:, np.newaxis]])
        else:
            y = self._run(batch)
        return y if x.ndim == 3 else y[0]

    def stream(self, batch: int = 1) -> Stream:
        """Start a stream that takes one sample at a time, from a zero state.

        Args:
            batch: how many independent streams step together.

        Returns:
            A new `Stream`; it does not share state with any other.

        Raises:
            InputError: `batch` is not a whole number of at least 1.
        """
        return Stream(self._session, self.contract, batch)

    def _check_shape(self, x: Array) -> None:
        window = self.contract.window
        if x.ndim not in (2, 3):
            raise InputError(f"expected one window [T, F] or a batch [B, T, F], got shape {x.shape}")
        if self.contract.state == "window" and x.shape[-2] != window:
            raise InputError(
                f"expected windows of {window} steps, which is what this network was trained on, got {x.shape[-2]}"
            )
        if 0 in x.shape:  # onnxruntime 1.32 ends the whole process on an empty batch
            raise InputError(f"expected at least one row and one step, got shape {x.shape}")

    def _run(self, batch: Array) -> Array:
        feeds = {"x": batch}
        for name, shape in self._states.items():
            feeds[name] = np.zeros([size or len(batch) for size in shape], np.float32)
        y: Array = self._session.run(["y"], feeds)[0]
        return y


def _check_graph(session: onnxruntime.InferenceSession, contract: Contract) -> None:
    """See that the graph takes and gives what the contract says, by name and fixed sizes."""
    steps = ("T",) if contract.states else ()
    inputs = {"x": ("B", "T", len(contract.inputs))} | {s.input: s.shape for s in contract.states}
    outputs = {"y": ("B", *steps, contract.horizon, len(contract.outputs))}
    outputs |= {s.output: s.shape for s in contract.states}
    for what, expected, found in (("takes", inputs, session.get_inputs()), ("gives", outputs, session.get_outputs())):
        got = {tensor.name: tuple(tensor.shape) for tensor in found}
        if got != expected or any(tensor.type != "tensor(float)" for tensor in found):
            raise ModelFileError(f"the contract says that the graph {what} {expected}, but it {what} {got}")
