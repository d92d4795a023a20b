"""Execution providers: their names, and why one is unavailable.

Every refusal names the cause: the package, the driver, the version, or the network. `look` gathers the facts of the
machine and other functions word them, so that each case can be tested without its hardware.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import onnxruntime

from edgelstm.errors import InputError
from edgelstm.host import JETPACK_6_WHEELS, ROOT, Root, installed_builds, jetpack

AUTO = "auto"
CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
# Nodes that TensorRT cannot run fall to CUDA, still on the GPU.
DEVICES = {"cpu": (CPU,), "cuda": (CUDA,), "tensorrt": (TENSORRT, CUDA)}

# From Ampere on, CUDA would round every factor to ten bits, and results would differ from those at export.
DEFAULT_OPTIONS = {CUDA: {"use_tf32": "0"}}

_PACKAGES = {
    CUDA: "onnxruntime-gpu",
    TENSORRT: "onnxruntime-gpu",
    "DmlExecutionProvider": "onnxruntime-directml",
    "MIGraphXExecutionProvider": "onnxruntime-migraphx",
    "OpenVINOExecutionProvider": "onnxruntime-openvino",
    "QNNExecutionProvider": "onnxruntime-qnn",
}
_LIBRARIES = {CUDA: "libonnxruntime_providers_cuda.so", TENSORRT: "libonnxruntime_providers_tensorrt.so"}
# A desktop card, a Jetson with either driver, Windows Subsystem for Linux.
_GPU_NODES = ("dev/nvidia[0-9]*", "dev/nvhost-gpu", "dev/nvgpu/igpu0", "dev/dxg")


class Choice(NamedTuple):
    """The result of `device="auto"`.

    Attributes:
        device: the chosen device.
        reason: why, in one sentence.
        golden_us: the median time of one golden window on each device that was tried, in microseconds.
        refused: why other devices were refused, by device.
    """

    device: str
    reason: str
    golden_us: dict[str, float]
    refused: dict[str, str]


class Found(NamedTuple):
    """The facts of a machine that explain why a provider is unavailable.

    Attributes:
        version: version of onnxruntime.
        builds: its installed packages and their versions; several overwrite each other.
        jetpack: the major version on a Jetson, else None.
        nodes: the device files of NVIDIA GPUs; None if not looked for, as on other systems than Linux.
        driver: the system's message if libcuda cannot be loaded, else None.
        library: the same for the provider's own library, or one that it needs.
        cuda: the version of CUDA that this build was made for, if known.
    """

    version: str
    builds: dict[str, str]
    jetpack: int | None
    nodes: tuple[str, ...] | None = None
    driver: str | None = None
    library: str | None = None
    cuda: str | None = None


def providers_of(device: str) -> tuple[str, ...]:
    """Return the execution providers of a device, the requested one first.

    Args:
        device: a key of `DEVICES`, or the name of an execution provider that onnxruntime knows.

    Raises:
        InputError: it is neither.

    Example:
        >>> providers_of("cuda"), providers_of("OpenVINOExecutionProvider")
        (('CUDAExecutionProvider',), ('OpenVINOExecutionProvider',))
    """
    if isinstance(device, str):
        if device in DEVICES:
            return DEVICES[device]
        if device in onnxruntime.get_all_providers() or device in onnxruntime.get_available_providers():
            return DEVICES.get(device_of(device), (device,))
    known = ", ".join(_PACKAGES)
    raise InputError(
        f"device: expected one of {', '.join(DEVICES)}, {AUTO}, or an execution provider of onnxruntime "
        f"({known}...), got {device!r}"
    )


def device_of(provider: str) -> str:
    """Return the short name of an execution provider, or its own name if it has none.

    Example:
        >>> device_of("CUDAExecutionProvider"), device_of("OpenVINOExecutionProvider")
        ('cuda', 'OpenVINOExecutionProvider')
    """
    return next((device for device, providers in DEVICES.items() if providers[0] == provider), provider)


def preload_libraries(provider: str) -> None:
    """Let onnxruntime find the CUDA libraries that pip installed; a missing one is reported when the session fails."""
    if provider in _LIBRARIES and hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it did not find
            onnxruntime.preload_dlls()


def look(provider: str, root: Root = ROOT) -> Found:
    """Gather the facts that explain why a provider is unavailable."""
    found = Found(onnxruntime.__version__, installed_builds(), jetpack(root))
    if provider not in _LIBRARIES or sys.platform != "linux":
        return found
    import glob  # only a failure needs it

    place = os.path.join(os.path.dirname(onnxruntime.__file__), "capi", _LIBRARIES[provider])
    nodes = sorted(f"/{node}" for pattern in _GPU_NODES for node in glob.glob(pattern, root_dir=root))
    library = _loading(place) if os.path.exists(place) else None
    cuda = getattr(onnxruntime, "cuda_version", None)
    return found._replace(nodes=tuple(nodes), driver=_loading("libcuda.so.1"), library=library, cuda=cuda or None)


def _loading(library: str) -> str | None:
    """Load a shared library; return the system's message if it, or one that it needs, is missing."""
    import ctypes  # only a failure needs it

    try:
        ctypes.CDLL(library)
    except OSError as error:
        # A provider's library takes symbols from onnxruntime, which are missing here; that is no fault.
        return None if "undefined symbol" in str(error) else str(error)
    return None


def not_built_in(device: str, found: Found) -> str:
    """Say why this onnxruntime lacks the provider: it is the wrong package, or two are mixed."""
    provider = providers_of(device)[0]
    package = _PACKAGES.get(provider)
    wrong = f"{device} was asked for, but the package is wrong: "
    installed = " and ".join(f"{name} {version}" for name, version in found.builds.items())
    if package is None:
        return (
            f"{wrong}no package on PyPI is known to have the {provider} for this machine; use a build of onnxruntime "
            "that has it, or device 'cpu'"
        )
    install = _install(package, found)
    if len(found.builds) > 1:
        return (
            f"{wrong}{installed} are installed together, overwrite each other's files, and the one in use lacks it: "
            f"pip uninstall -y {' '.join(found.builds)}; then {install}; or use device 'cpu'"
        )
    if not found.builds:
        return (
            f"{wrong}onnxruntime {found.version} lacks it, and was installed by the system or by hand, not by pip: "
            f"in a new environment (python3 -m venv), {install}; or use device 'cpu'"
        )
    return (
        f"{wrong}{installed} is a build without it: pip uninstall -y {' '.join(found.builds)}; then {install}; or use "
        "device 'cpu'"
    )


def did_not_start(device: str, found: Found, reason: str) -> str:
    """Say why a provider that this onnxruntime has could not be started: the driver, or a version."""
    provider = providers_of(device)[0]
    asked = f"{device} was asked for, but "
    if found.nodes is not None and (found.driver or not found.nodes):
        return asked + _driver_words(found)
    if found.library:
        return asked + _version_words(provider, found, found.library)
    if provider in _LIBRARIES:
        return (
            f"{asked}the version or an option is wrong: onnxruntime {found.version}{_for_cuda(found)} could not start "
            f"it: {reason}; compare with the CUDA version that nvidia-smi prints"
        )
    return (
        f"{asked}onnxruntime {found.version} could not start it: {reason}; for its requirements see "
        "https://onnxruntime.ai/docs/execution-providers"
    )


def left_on_cpu(device: str, nodes: Sequence[str], reason: str) -> str:
    """Say which nodes of a network a provider cannot run."""
    which = f"{', '.join(dict.fromkeys(nodes))} would run on the CPU" if nodes else reason
    hint = "int8 LSTMs run on CPUs only: use the fp32 or fp16 file"
    quantized = any(node.startswith("DynamicQuantize") for node in nodes) or not nodes
    return (
        f"{device} was asked for, but it cannot run this network: {which}; "
        f"{hint + ', or device' if quantized else 'use device'} 'cpu'"
    )


def _driver_words(found: Found) -> str:
    if not found.nodes:
        return (
            f"the driver is wrong: no NVIDIA GPU was found (no /dev/nvidia0; {found.driver or 'libcuda.so.1 loads'}): "
            "install the driver until nvidia-smi lists the GPU; start a container with "
            f"{_container_option(found)}; or use device 'cpu'"
        )
    return (
        f"the driver is wrong: there is a GPU ({found.nodes[0]}), but its library cannot be loaded ({found.driver}): "
        f"install the driver until nvidia-smi lists the GPU; start a container with {_container_option(found)}"
    )


def _container_option(found: Found) -> str:
    return "--runtime nvidia" if found.jetpack else "--gpus all"


def _version_words(provider: str, found: Found, message: str) -> str:
    if "nvinfer" in message or "nvonnxparser" in message:
        mend = "install the TensorRT that this build was made for, or use device 'cuda'"
    elif found.jetpack:
        mend = f"{JETPACK_6_WHEELS} (JetPack 6), or a build for the CUDA of JetPack {found.jetpack}"
    else:
        mend = (
            f"pip install 'onnxruntime-gpu[cuda,cudnn]=={found.version}' for its libraries, or install a build for the "
            "CUDA of this machine"
        )
    return f"the version is wrong: onnxruntime {found.version}{_for_cuda(found)} cannot load {message}: {mend}"


def _for_cuda(found: Found) -> str:
    return f" (for CUDA {found.cuda})" if found.cuda else ""


def _install(package: str, found: Found) -> str:
    if package != "onnxruntime-gpu":
        return f"pip install {package}"
    return JETPACK_6_WHEELS if found.jetpack == 6 else "pip install 'edgelstm[gpu]'"


def nodes_on_cpu(session: Any) -> list[str]:
    """List the operators that a session runs on the CPU; empty if this onnxruntime (below 1.24) cannot say."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return []
    parts = [part for part in session.get_provider_graph_assignment_info() if part.ep_name == CPU]
    return [node.op_type for part in parts for node in part.get_nodes()]
