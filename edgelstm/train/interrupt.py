"""Ctrl-C: the first one stops a training soon, the second at once."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType


class Interrupt:
    """Whether Ctrl-C was pressed.

    Attributes:
        pressed: once; the training loop checks it before each batch.
    """

    def __init__(self) -> None:
        self.pressed = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Handle SIGINT during the training; only the main thread can, other threads leave the handler as it is."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._press)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _press(self, number: int, frame: FrameType | None) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
        print("\nstopping soon; press Ctrl-C again to stop at once", file=sys.stderr)
