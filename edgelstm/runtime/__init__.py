"""Run a model file with numpy and onnxruntime, and nothing else."""

from __future__ import annotations

import os

# onnxruntime's Linux wheels report home by default since 1.29 and read this at their first import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from edgelstm.runtime.golden import Golden
from edgelstm.runtime.loading import load
from edgelstm.runtime.model_file import ModelFile, parse_model_file, read_model_file
from edgelstm.runtime.predictor import Predictor
from edgelstm.runtime.replay import Replay, replay
from edgelstm.runtime.stream import Stream
from edgelstm.runtime.streams import Streams

__all__ = [
    "Golden",
    "ModelFile",
    "Predictor",
    "Replay",
    "Stream",
    "Streams",
    "load",
    "parse_model_file",
    "read_model_file",
    "replay",
]
