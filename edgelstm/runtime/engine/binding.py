"""Bind numpy buffers to a session once, and call it over them again and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Buffers = Mapping[str, NDArray[Any]]


def bind(session: onnxruntime.InferenceSession, inputs: Buffers, outputs: Buffers) -> Callable[[], None]:
    """Bind contiguous buffers by their memory, and give a call that runs the session once over them.

    It goes to the extension module itself where that is to be had, with empty `RunOptions` made once: 1 to 2 us less
    than `InferenceSession.run_with_iobinding` (decision 0015), which is called where it is not.

    On any device but the CPU buffers are handed over at every call instead: onnxruntime copies what is bound to the
    device's memory when it is bound, and later calls would silently run on what was there then (microsoft/onnxruntime
    issue 5857).

    Args:
        session: an open session.
        inputs: by name, all that the graph takes; their memory is bound, so the caller keeps them.
        outputs: by name, those that are wanted; likewise.

    Returns:
        A call without arguments. The outputs lie in their buffers when it returns.
    """
    if session.get_providers() != ["CPUExecutionProvider"]:
        return partial(_run_by_copy, session, inputs, outputs)
    binding = session.io_binding()
    for name, buffer in inputs.items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(buffer))
    for name, buffer in outputs.items():
        binding.bind_ortvalue_output(name, onnxruntime.OrtValue.ortvalue_from_numpy(buffer))
    try:
        run, bound = session._sess.run_with_iobinding, binding._iobinding
    except AttributeError:
        return partial(session.run_with_iobinding, binding)
    return partial(run, bound, onnxruntime.RunOptions())


def _run_by_copy(session: onnxruntime.InferenceSession, inputs: Buffers, outputs: Buffers) -> None:
    """Run once, with the inputs as they are now, and copy what comes out into the outputs' buffers."""
    for buffer, answer in zip(outputs.values(), session.run(list(outputs), inputs), strict=True):
        np.copyto(buffer, answer)
