"""Load a model file from the disk."""

from __future__ import annotations

import os

from edgelstm.runtime.model_file import read_model_file
from edgelstm.runtime.predictor import Predictor


def load(path: str | os.PathLike[str], device: str = "cpu", threads: int = 1, unverified: bool = False) -> Predictor:
    """Load a model file: check its bytes and its contract, then open it in onnxruntime.

    Args:
        path: a file written by `edgelstm export`.
        device: `"cpu"` or `"cuda"`.
        threads: for the work inside one call; 1 is quickest for most LSTMs on small devices.
        unverified: take a file that was altered since export, by an optimizer for instance, or that has operators
            which FORMAT.md does not name. It still needs its contract and golden vectors, and is first tried in a
            child process with limits (0.3 s, Linux only). `Predictor.let_pass` lists what would have been refused.

    Returns:
        A predictor, ready to run.

    Raises:
        ModelFileNotFoundError: there is no such file.
        ModelFileError: the file is damaged, altered, foreign or of a newer format; or the child process died of it.
        ProviderError: the device is not to be had.

    Example:
        >>> predictor = load("models/co2/co2.fp32.onnx")
        >>> predictor.contract.window, predictor.contract.horizon
        (104, 12)
    """
    model_file = read_model_file(path, unverified)
    if unverified:
        from edgelstm.runtime.trial import try_in_child  # subprocess: a millisecond that only this way takes

        try_in_child(model_file.content, os.fspath(path))
    return Predictor(model_file, device, threads)
