"""Streams of a file whose channels have origins: physical float64 outside, float32 without the origin inside."""

from __future__ import annotations

from typing import Any

import onnxruntime
from numpy.typing import NDArray

from edgelstm.contract import Contract
from edgelstm.runtime.samples import from_origins, origins_of
from edgelstm.runtime.streams.stream import Stream
from edgelstm.runtime.streams.streams import Streams


class OriginStream(Stream):
    """A `Stream` that subtracts the origins from its samples and adds them to its answers, in float64.

    Its `state` is that of the graph, without origins.
    """

    def __init__(self, session: onnxruntime.InferenceSession, contract: Contract, batch: int) -> None:
        super().__init__(session, contract.bare, batch)
        self._inputs, self._origins = contract.inputs, origins_of(contract.outputs)

    def step(self, sample: Any, time_s: Any = None, copy: bool = True) -> NDArray[Any]:
        """Take one sample per stream as `Stream.step` does; the answer is float64, and always a copy."""
        return super().step(from_origins(sample, self._inputs), time_s, copy=False) + self._origins

    def run(self, chunk: Any, time_s: Any = None) -> NDArray[Any]:
        """Take a part of a series as `Stream.run` does; the answers are float64."""
        return super().run(from_origins(chunk, self._inputs), time_s) + self._origins


class OriginStreams(Streams):
    """`Streams` that subtract the origins from their samples and add them to their answers, in float64."""

    def __init__(self, session: onnxruntime.InferenceSession, contract: Contract, count: int, exact: bool) -> None:
        self._inputs, self._origins = contract.inputs, origins_of(contract.outputs)
        super().__init__(session, contract.bare, count, exact)

    def _check_samples(self, samples: Any, count: int) -> NDArray[Any]:
        return super()._check_samples(from_origins(samples, self._inputs), count)

    def step(self, samples: Any, at: Any = None, time_s: Any = None) -> NDArray[Any]:
        """Take a sample for some streams as `Streams.step` does; the answers are float64."""
        return super().step(samples, at, time_s) + self._origins
