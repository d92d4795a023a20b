"""Streams with names, such as those of the machines that send the samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgelstm.errors import InputError
from edgelstm.runtime.engine.sharing import refuse_pickle
from edgelstm.runtime.streams.streams import Streams


class NamedStreams:
    """Many independent streams by name; made by `Predictor.streams(names=...)`.

    Each name has its own state, and the answers of a separate `Stream`. A new name joins from a zero state: a machine
    that training never saw gets a forecast too. As in `Streams`, an error leaves everything unchanged, names included,
    and one thread may use them at a time.
    """

    def __init__(self, streams: Streams, names: Iterable[str]) -> None:
        self._streams = streams
        self._numbers: dict[str, int] = {}
        self._join(_checked(names))

    __reduce_ex__ = refuse_pickle

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, name: object) -> bool:
        return name in self._numbers

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order in which they joined."""
        return tuple(self._numbers)

    @property
    def ready(self) -> dict[str, bool]:
        """By name, whether its last step gave a prediction."""
        places = np.searchsorted(self._streams.numbers, list(self._numbers.values()))
        ready = self._streams.ready
        return {name: bool(ready[place]) for name, place in zip(self._numbers, places, strict=True)}

    def step(self, samples: Mapping[str, Any], time_s: Any = None) -> dict[str, NDArray[Any]]:
        """Take a sample for some names and return the predictions after it.

        Args:
            samples: by name, each [F] numbers in the physical units of `contract.inputs`; a new name joins.
            time_s: for a file that takes times, the time of the samples as for `Stream.step`: one for all, or one for
                each name.

        Returns:
            By name, float32 [K, O] in the physical units of `contract.outputs`; NaN for a stream that is not ready.

        Raises:
            InputError: a name that is not a text, a name without a time, or as for `Streams.step`; nothing has changed.
            SharingError: as for `Streams.step`.

        Example:
            >>> from edgelstm import load
            >>> streams = load("models/co2/co2.fp32.onnx").streams(names=["pump 1"])
            >>> answers = streams.step({"pump 1": [340.0], "pump 2": [341.0]})
            >>> answers["pump 2"].shape, streams.names
            ((12, 1), ('pump 1', 'pump 2'))
        """
        if not isinstance(samples, Mapping):
            raise InputError(f"expected a sample for each name, {{'pump 1': [...]}}, got {type(samples).__name__}")
        names = _checked(samples)
        if not names:
            return {}
        moments = _moments(time_s, names)
        new = [name for name in names if name not in self._numbers]
        self._join(new)
        try:
            at = [self._numbers[name] for name in names]
            answers = self._streams.step([samples[name] for name in names], at=at, time_s=moments)
        except BaseException:
            self.leave(new)
            raise
        return dict(zip(names, answers, strict=True))

    def leave(self, names: Iterable[str]) -> None:
        """Drop streams.

        Raises:
            InputError: an unknown name.
        """
        numbers = self._known(names)
        self._streams.leave(list(numbers.values()))
        for name in numbers:
            del self._numbers[name]

    def reset(self, names: Iterable[str] | None = None) -> None:
        """Reset streams: zero state, empty window.

        Args:
            names: names of the streams; None: all.

        Raises:
            InputError: an unknown name.
        """
        self._streams.reset(None if names is None else list(self._known(names).values()))

    def snapshot(self, name: str) -> dict[str, NDArray[Any]]:
        """Copy the state of one stream, as `Streams.snapshot` does.

        Raises:
            InputError: an unknown name.
        """
        return self._streams.snapshot(self._known([name])[name])

    def restore(self, name: str, snapshot: dict[str, NDArray[Any]]) -> None:
        """Give a stream the state of another; a new name joins.

        Raises:
            InputError: the snapshot is damaged or of another file; nothing has changed.
        """
        new = [name for name in _checked([name]) if name not in self._numbers]
        self._join(new)
        try:
            self._streams.restore(self._numbers[name], snapshot)
        except BaseException:
            self.leave(new)
            raise

    def _join(self, names: list[str]) -> None:
        if names:
            self._numbers.update(zip(names, self._streams.join(len(names)).tolist(), strict=True))

    def _known(self, names: Iterable[str]) -> dict[str, int]:
        found = {}
        for name in _checked(names):
            if name not in self._numbers:
                raise InputError(f"there is no stream {name!r}; NamedStreams.names lists them all")
            found[name] = self._numbers[name]
        return found


def _checked(names: Iterable[str]) -> list[str]:
    """Check that names are texts and all different."""
    if isinstance(names, str):
        raise InputError(f"names: expected a list of names, got the text {names!r}: put it into a list")
    found = list(names)
    for name in found:
        if not isinstance(name, str):
            raise InputError(f"names: expected texts, got {name!r}")
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise InputError(f"names: {twice!r} occurs twice")
    return found


def _moments(time_s: Any, names: list[str]) -> Any:
    """Return one time for all, or one for each name in their order."""
    if not isinstance(time_s, Mapping):
        return time_s
    missing = [name for name in names if name not in time_s]
    if missing:
        raise InputError(f"time_s: expected a time for each name, got none for {missing[0]!r}")
    return [time_s[name] for name in names]
