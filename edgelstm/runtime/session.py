"""Make an onnxruntime session with the settings a small device wants."""

from __future__ import annotations

from typing import Any

from edgelstm.errors import InputError, MissingDependencyError, ModelFileError, ProviderError

try:
    import onnxruntime
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        "this needs onnxruntime, which is not installed: pip install 'edgelstm[cpu]' "
        "(on a machine with an NVIDIA GPU: 'edgelstm[gpu]')"
    ) from error

DEVICES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_ERRORS_ONLY = 3


def create_session(content: bytes, device: str, threads: int, folded: bool = False) -> onnxruntime.InferenceSession:
    """Open a checked model file in onnxruntime.

    One thread unless asked for more, no spinning (idle threads would burn a core), and on an accelerator no
    silent fallback: a node that the accelerator cannot run is an error.

    Args:
        content: the bytes of the file.
        device: a key of `DEVICES`.
        threads: for the work inside one call, at least 1.
        folded: turn weights that are stored as int8 back into float32 while loading. Left in the graph, that is done
            anew at every call: 64 against 27 us for a step of 256 units.

    Raises:
        InputError: an unknown device, or no thread.
        ProviderError: the device is not to be had, or cannot run every node.
        ModelFileError: onnxruntime refuses the graph.
    """
    if device not in DEVICES:
        raise InputError(f"device: expected one of {', '.join(DEVICES)}, got {device!r}")
    if type(threads) is not int or threads < 1:
        raise InputError(f"threads: expected a whole number of at least 1, got {threads!r}")
    if device != "cpu":
        _check_available(device)
    try:
        session = onnxruntime.InferenceSession(
            content, _session_options(device, threads, folded), providers=[DEVICES[device]]
        )
    except Exception as error:  # onnxruntime's errors have no common base but this
        reason = str(error).strip().splitlines()[0]
        if device != "cpu":
            raise ProviderError(
                f"{device} cannot run this file: {reason}; int8 LSTMs have no CUDA kernel, export without "
                "--quantize or use device 'cpu'"
            ) from error
        raise ModelFileError(f"onnxruntime {onnxruntime.__version__} refuses the graph: {reason}") from error
    if DEVICES[device] not in session.get_providers():
        raise ProviderError(
            f"expected {DEVICES[device]}, but onnxruntime {onnxruntime.__version__} could not start it: check the "
            "driver with nvidia-smi and that its CUDA version is the one this wheel was built for"
        )
    return session


def _session_options(device: str, threads: int, folded: bool) -> onnxruntime.SessionOptions:
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena grows without bound on changing shapes (microsoft/onnxruntime issue 11627).
    options.enable_cpu_mem_arena = False
    if folded:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    if device != "cpu":
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return options


def _check_available(device: str) -> None:
    if DEVICES[device] not in onnxruntime.get_available_providers():
        raise ProviderError(
            f"{device} was asked for, but this onnxruntime ({onnxruntime.__version__}) is a build without it: "
            "pip uninstall onnxruntime; pip install 'edgelstm[gpu]'; or use device 'cpu'"
        )
