"""Train an LSTM in PyTorch, get one ONNX file, run it anywhere onnxruntime runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "load"]

if TYPE_CHECKING:
    from edgelstm.runtime import load


def __getattr__(name: str) -> Any:
    """Import `load`, and with it numpy and onnxruntime, on first use."""
    if name == "load":
        from edgelstm.runtime import load

        return load
    raise AttributeError(f"module 'edgelstm' has no attribute {name!r}")
