"""Golden vectors: recorded inputs and outputs that a file carries."""

from __future__ import annotations

import base64
import binascii
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgelstm.arrays import Array32
from edgelstm.errors import InputError, ModelFileError
from edgelstm.runtime.clock import MAX_TIME_S, check_order
from edgelstm.strict_json import StrictJsonError, decode, dumps, parse

PYPI, OTHER = "pypi", "other"


class Golden(NamedTuple):
    """A few real windows and their outputs.

    Attributes:
        x: float32 [G, T, F], in physical units, or tokens int64 [G, T].
        network: float32 [G, K, O] (carried: [G, T, K, O]), the outputs of the trained network in torch.
        file: like `network`, the outputs of this very file at export, one row at a time.
        tolerance: how far a replay may be from `file`, per output channel in physical units: under `"pypi"`
            for the onnxruntime wheels of PyPI, under `"other"` for any other build. int8 kernels round
            differently from build to build (measured: 2e-7 between PyPI wheels, 2e-3 on Debian's builds).
        lengths: int64 [G], the valid steps of each window; None if the file takes none.
        times: int64 [G, T], the time of each sample in seconds since 1970, UTC; None if the file takes none.
    """

    x: NDArray[Any]
    network: Array32
    file: Array32
    tolerance: dict[str, tuple[float, ...]]
    lengths: NDArray[np.int64] | None = None
    times: NDArray[np.int64] | None = None

    def to_json(self) -> str:
        """Write as JSON, arrays as base64 of their little-endian numbers."""
        lengths = None if self.lengths is None else tuple(map(int, self.lengths))
        times = None if self.times is None else _encode(self.times)
        arrays = _encode(self.x), _encode(self.network), _encode(self.file)
        return dumps(_GoldenJson(*arrays, self.tolerance, lengths, times))

    @classmethod
    def from_json(cls, text: str) -> Golden:
        """Read what `to_json` wrote.

        Raises:
            ModelFileError: it is damaged.
        """
        try:
            value = parse(text)
            record = decode(_GoldenJson, {"times": None, **value} if isinstance(value, dict) else value, "golden")
        except StrictJsonError as error:
            raise ModelFileError(f"the golden vectors are damaged: {error}") from error
        x, network, file = _decode(record.x), _decode(record.network), _decode(record.file)
        outputs = file.shape[-1:] and file.shape[-1]
        if record.lengths and not 1 <= min(record.lengths) <= max(record.lengths) < 2**63:
            raise ModelFileError("the golden vectors are damaged: a length is out of range")
        lengths = None if record.lengths is None else np.array(record.lengths, np.int64)
        fits = x.ndim in (2, 3) and file.ndim in (2, 3, 4) and network.shape == file.shape and len(x) == len(file) >= 1
        fits = fits and file.dtype == network.dtype == np.float32 and (x.dtype == np.int64) == (x.ndim == 2)
        complete = {PYPI, OTHER} == record.tolerance.keys()
        times = None if record.times is None else _decode(record.times)
        fits = fits and (times is None or (times.dtype == np.int64 and times.shape == x.shape[:2] and x.ndim == 3))
        fits = fits and (times is None or -MAX_TIME_S <= times.min() <= times.max() <= MAX_TIME_S)
        valid = lengths is None or (len(lengths) == len(x) and lengths.max() <= x.shape[1])
        if not (fits and complete and valid) or any(len(t) != outputs for t in record.tolerance.values()):
            raise ModelFileError("the golden vectors are damaged: their shapes do not match")
        if times is not None:
            _check_order(times, lengths)
        return cls(x, network, file, record.tolerance, lengths, times)


def _check_order(times: NDArray[np.int64], lengths: NDArray[np.int64] | None) -> None:
    try:
        check_order(times, lengths)
    except InputError as error:
        raise ModelFileError(f"the golden vectors are damaged: {error}") from error


def worst_by_channel(a: Array32, b: Array32) -> tuple[float, ...]:
    """Return the largest absolute difference per channel of the last axis; NaN counts as infinite."""
    difference = np.abs(a.astype(np.float64) - b.astype(np.float64))
    worst = np.nan_to_num(difference, nan=np.inf).max(axis=tuple(range(difference.ndim - 1)))
    return tuple(float(value) for value in worst)


class _ArrayJson(NamedTuple):
    shape: tuple[int, ...]
    dtype: str
    base64: str


class _GoldenJson(NamedTuple):
    x: _ArrayJson
    network: _ArrayJson
    file: _ArrayJson
    tolerance: dict[str, tuple[float, ...]]
    lengths: tuple[int, ...] | None
    times: _ArrayJson | None  # files of format 1 lack it


_STORED = {"float32": "<f4", "int64": "<i8"}


def _encode(array: NDArray[Any]) -> _ArrayJson:
    content = array.astype(_STORED[str(array.dtype)]).tobytes()
    return _ArrayJson(tuple(array.shape), str(array.dtype), base64.b64encode(content).decode())


def _decode(record: _ArrayJson) -> NDArray[Any]:
    if min(record.shape, default=1) < 0 or record.dtype not in _STORED:
        raise ModelFileError(f"the golden vectors are damaged: {record.dtype} of the shape {list(record.shape)}")
    try:
        content = base64.b64decode(record.base64, validate=True)
        return np.frombuffer(content, _STORED[record.dtype]).reshape(record.shape).astype(record.dtype)
    except (binascii.Error, ValueError) as error:
        raise ModelFileError(f"the golden vectors are damaged: {error}") from error
