"""Who may use a session: one thread per stream, no pickle, and after a fork only sessions that cannot hang."""

from __future__ import annotations

import os
import weakref
from typing import Any, NoReturn

import onnxruntime

from edgelstm.errors import SharingError


class Token:
    """Record whether a stream or predictor is inside onnxruntime now, and why it may no longer enter.

    A stream pops the only entry of `free` before a step and puts it back after it. Both are atomic and take 0.04 us
    together; `threading.Lock` takes 0.1 us and needs a `finally` too.

    Attributes:
        free: one entry while no thread steps the stream; empty while one does, and for ever in a forked child that must
            not.
        inside: one entry for each thread that is inside a predictor.
        reason: why the session must not be used in this process; empty if it may.
        session: the session, whose threads and locks a fork may break.
    """

    __slots__ = ("__weakref__", "free", "inside", "reason", "session")

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.session = session
        self.free: list[None] = [None]
        self.inside: list[None] = []
        self.reason = ""
        _TOKENS.add(self)

    def __enter__(self) -> None:
        try:
            self.free.pop()
        except IndexError:
            raise self.error() from None

    def __exit__(self, *_: object) -> None:
        self.free.append(None)

    def error(self) -> SharingError:
        """Say why the stream may not be used now."""
        return SharingError(
            self.reason
            or "this stream is in use by another thread, or by the step that made this call: use one stream per thread "
            "(predictor.stream()), or put a lock around this one"
        )


_TOKENS: weakref.WeakSet[Token] = weakref.WeakSet()


def refuse_pickle(self: Any, protocol: object = None) -> NoReturn:
    """Refuse to pickle: the `__reduce_ex__` of a class that holds a session, which lives in one process.

    Raises:
        SharingError: always.
    """
    what = type(self).__name__
    way = (
        "send the path of its file, and load it there"
        if what == "Predictor"
        else "send its state (a snapshot of plain arrays), and assign it to a stream of the same file there"
    )
    raise SharingError(f"a {what} cannot be pickled or copied, because its session lives in this process: {way}")


def _check_after_fork() -> None:
    """In the child, refuse every session that could hang: a fork copies locks as they are, but no threads."""
    tokens = list(_TOKENS)
    entered = {id(token.session) for token in tokens if token.inside or not token.free}
    for token in tokens:
        reason = _obstacle(token.session, id(token.session) in entered)
        if reason:
            token.reason = f"{reason}; load the file again in this process"
            token.free.clear()


def _obstacle(session: onnxruntime.InferenceSession, entered: bool) -> str:
    provider = session.get_providers()[0]
    if provider != "CPUExecutionProvider":
        return f"this process was forked, and {provider} does not work after a fork"
    if session.get_session_options().intra_op_num_threads != 1:
        return "this process was forked, and the threads of the session stayed in its parent"
    if entered:
        return "this process was forked while another thread was inside the session"
    return ""


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_check_after_fork)
