"""Load a model file from the disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from edgelstm.errors import InputError
from edgelstm.runtime.engine.providers import AUTO
from edgelstm.runtime.file.model_file import ModelFile, read_model_file
from edgelstm.runtime.predictor import Predictor


def load(
    path: str | os.PathLike[str],
    device: str = "cpu",
    threads: int | None = None,
    unverified: bool = False,
    *,
    provider_options: Mapping[str, Any] | None = None,
    spinning: bool = False,
    arena: bool = False,
) -> Predictor:
    """Load a model file: check its bytes and its contract, then open it in onnxruntime.

    Args:
        path: a file written by `edgelstm export`.
        device: `"cpu"`, `"cuda"`, `"tensorrt"`, another execution provider by its onnxruntime name, or `"auto"`: the
            one that is fastest on the golden vectors, unless the environment variable `EDGELSTM_DEVICE` names one.
            There is no fallback: what cannot run there in whole is an error.
        threads: for the work inside one call; None for one, or two where the network is wide enough to gain by it.
        unverified: take a file that was altered since export, by an optimizer for instance, or that has operators
            which FORMAT.md does not name. It still needs its contract and golden vectors, and is first tried in a
            child process with limits (0.3 s, Linux only). `Predictor.let_pass` lists what would have been refused.
        provider_options: for the device, as onnxruntime documents them.
        spinning: let threads that wait for work burn their cores.
        arena: keep memory for the next call; it grows without bound on changing shapes.

    Returns:
        A predictor, ready to run.

    Raises:
        ModelFileNotFoundError: there is no such file.
        ModelFileError: the file is damaged, altered, foreign or of a newer format; or the child process died of it.
        ProviderError: the device is not to be had; says whether the package, the driver, the version or the network
            is wrong, and what to install.
        InputError: `path` is no path, an unknown device, no thread, or options that nobody reads.

    Example:
        >>> predictor = load("models/co2/co2.fp32.onnx", device="auto")
        >>> predictor.contract.window, predictor.contract.horizon
        (104, 12)
        >>> predictor.device, predictor.threads
        ('cpu', 1)
    """
    model_file = read_model_file(path, unverified)
    if unverified:
        from edgelstm.runtime.trial import try_in_child  # subprocess: a millisecond that only this way takes

        try_in_child(model_file.content, os.fspath(path))
    return open_model_file(
        model_file, device, threads, provider_options=provider_options, spinning=spinning, arena=arena
    )


def open_model_file(
    model_file: ModelFile,
    device: str = "cpu",
    threads: int | None = None,
    *,
    provider_options: Mapping[str, Any] | None = None,
    spinning: bool = False,
    arena: bool = False,
) -> Predictor:
    """Open a model file that has been read and checked; as `load` does.

    Raises:
        ProviderError, InputError, ModelFileError: as for `load`.
    """

    def open_on(device: str) -> Predictor:
        return Predictor(model_file, device, threads, provider_options=provider_options, spinning=spinning, arena=arena)

    if device != AUTO:
        return open_on(device)
    if provider_options:
        raise InputError("provider_options: they are for one device; name it instead of 'auto'")
    from edgelstm.runtime.choice import choose  # only this way needs it

    return choose(open_on)
