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
            fastest on the golden vectors, unless the environment variable `EDGELSTM_DEVICE` names one. There is no
            fallback: a device that cannot run the whole file is an error.
        threads: threads inside one call; None: two if the network is wide enough to gain by it, else one.
        unverified: accept a file that was altered since export, for instance by an optimizer, or that has operators
            outside FORMAT.md. It still needs its contract and golden vectors, and is first tried in a child process
            with limits (0.3 s, Linux only). `Predictor.let_pass` lists what was accepted.
        provider_options: options of the device, as onnxruntime documents them.
        spinning: let idle threads spin, which keeps their cores busy.
        arena: keep memory for the next call; it grows without bound if shapes change.

    Returns:
        A predictor, ready to run.

    Raises:
        ModelFileNotFoundError: the file does not exist.
        ModelFileError: the file is damaged, altered, not from edgelstm or of a newer format; or the child process that
            tried it died.
        ProviderError: the device is unavailable; the message says whether the package, the driver, the version or the
            network is wrong, and what to install.
        InputError: `path` is not a path, the device is unknown, `threads` is below 1, or the device does not take the
            options.

    Example:
        >>> predictor = load("models/co2/co2.fp32.onnx", device="auto")
        >>> predictor.contract.window, predictor.contract.horizon
        (104, 12)
        >>> predictor.device, predictor.threads
        ('cpu', 1)
    """
    model_file = read_model_file(path, unverified)
    if unverified:
        from edgelstm.runtime.trial import try_in_child  # imports subprocess: 1 ms that other loads save

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
    """Open a model file that was read and checked, as `load` does.

    Raises:
        ProviderError, InputError, ModelFileError: as for `load`.
    """

    def open_on(device: str) -> Predictor:
        return Predictor(model_file, device, threads, provider_options=provider_options, spinning=spinning, arena=arena)

    if device != AUTO:
        return open_on(device)
    if provider_options:
        raise InputError("provider_options: they are for one device, got 'auto'; name the device")
    from edgelstm.runtime.choice import choose  # only `auto` needs it

    return choose(open_on)
