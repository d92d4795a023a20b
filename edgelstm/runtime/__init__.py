"""Run a model file with numpy and onnxruntime, and nothing else."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

# onnxruntime's Linux wheels report home by default since 1.29 and read this at their first import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from edgelstm.errors import MissingDependencyError

try:
    import onnxruntime

    if not hasattr(onnxruntime, "InferenceSession"):  # Python imports an empty folder as a package
        raise MissingDependencyError(
            "this needs onnxruntime, but its files are missing, as after uninstalling one of two onnxruntime packages: "
            "pip uninstall -y onnxruntime onnxruntime-gpu; pip install 'edgelstm[cpu]' "
            "(on a machine with an NVIDIA GPU: 'edgelstm[gpu]')"
        )
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        "this needs onnxruntime, which is not installed: pip install 'edgelstm[cpu]' "
        "(on a machine with an NVIDIA GPU: 'edgelstm[gpu]')"
    ) from error

from edgelstm.runtime.file.golden import Golden
from edgelstm.runtime.file.model_file import ModelFile, parse_model_file, read_model_file
from edgelstm.runtime.loading import load
from edgelstm.runtime.predictor import Predictor
from edgelstm.runtime.replay import Replay, replay
from edgelstm.runtime.streams.named import NamedStreams
from edgelstm.runtime.streams.stream import Stream
from edgelstm.runtime.streams.streams import Streams

if TYPE_CHECKING:
    from edgelstm.runtime.guard.drift import measure_drift
    from edgelstm.runtime.guard.guard import Guard
    from edgelstm.runtime.guard.guarded import GuardedStream

__all__ = [
    "Golden",
    "Guard",
    "GuardedStream",
    "ModelFile",
    "NamedStreams",
    "Predictor",
    "Replay",
    "Stream",
    "Streams",
    "load",
    "measure_drift",
    "parse_model_file",
    "read_model_file",
    "replay",
]


_GUARDS = {"Guard": "guard", "GuardedStream": "guarded", "measure_drift": "drift"}


def __getattr__(name: str) -> Any:
    """Import the guard on first use, so that a device without one starts faster."""
    if name in _GUARDS:
        return getattr(importlib.import_module(f"edgelstm.runtime.guard.{_GUARDS[name]}"), name)
    raise AttributeError(f"module 'edgelstm.runtime' has no attribute {name!r}")
