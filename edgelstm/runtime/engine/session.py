"""Open an onnxruntime session with settings for a small device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import onnxruntime

from edgelstm.errors import InputError, ModelFileError, ProviderError, one_line
from edgelstm.runtime.engine import providers

# Errors are raised; a log would report them twice.
_FATAL_ONLY = 4
_LOG_DEFAULT = 2


class Settings(NamedTuple):
    """How to open a session.

    Attributes:
        device: a key of `providers.DEVICES`, or the name of an execution provider.
        threads: threads inside one call, at least 1.
        provider_options: options that onnxruntime documents for the provider, such as `{"device_id": "1"}` for CUDA.
        spinning: let idle threads spin: they keep their cores busy, but a call with several threads gets shorter.
        arena: keep memory for the next call. It grows without bound if shapes change (microsoft/onnxruntime 11627).
    """

    device: str = "cpu"
    threads: int = 1
    provider_options: Mapping[str, Any] = {}
    spinning: bool = False
    arena: bool = False


def create_session(content: bytes, settings: Settings, folded: bool = False) -> onnxruntime.InferenceSession:
    """Open a checked model file in onnxruntime.

    On an accelerator there is no silent fallback: a node that it cannot run is an error.

    Args:
        content: the bytes of the file.
        settings: how.
        folded: convert int8 weights to float32 at load time. Otherwise the graph converts them at every call: 64
            instead of 27 us for a step of 256 units.

    Raises:
        InputError: an unknown device, fewer threads than 1, or options that the device does not take.
        ProviderError: the device is unavailable, or cannot run every node; the message says why.
        ModelFileError: onnxruntime refuses the graph.
    """
    _check_settings(settings)
    if settings.device == "cpu":
        return _open_on_cpu(content, settings, folded)
    provider = providers.providers_of(settings.device)[0]
    if provider not in onnxruntime.get_available_providers():
        raise ProviderError(providers.not_built_in(settings.device, providers.look(provider)))
    providers.preload_libraries(provider)
    onnxruntime.set_default_logger_severity(_FATAL_ONLY)
    try:
        session = _open(content, settings, _session_options(settings, folded, strict=True))
        if provider in session.get_providers():
            return session
        error = ProviderError(providers.did_not_start(settings.device, providers.look(provider), "it gave no reason"))
    except Exception as failure:  # onnxruntime's errors share no other base class
        _open_on_cpu(content, Settings(), folded)  # a graph that the CPU refuses too is a fault of the file
        error = ProviderError(_why(content, settings, folded, one_line(failure)))
        error.__cause__ = failure
    finally:
        onnxruntime.set_default_logger_severity(_LOG_DEFAULT)
    raise error


def _open_on_cpu(content: bytes, settings: Settings, folded: bool) -> onnxruntime.InferenceSession:
    try:
        return _open(content, settings, _session_options(settings, folded, strict=False))
    except Exception as error:  # as above
        raise ModelFileError(f"onnxruntime {onnxruntime.__version__} refuses the graph: {one_line(error)}") from error


def _why(content: bytes, settings: Settings, folded: bool, reason: str) -> str:
    """Find out why a provider failed, by opening the file again with the rest left to the CPU."""
    provider = providers.providers_of(settings.device)[0]
    options = _session_options(settings, folded, strict=False)
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    try:
        session = _open(content, settings, options)
    except Exception as error:  # as above
        return providers.did_not_start(settings.device, providers.look(provider), one_line(error))
    if provider not in session.get_providers():
        return providers.did_not_start(settings.device, providers.look(provider), reason)
    return providers.left_on_cpu(settings.device, providers.nodes_on_cpu(session), reason)


def _open(content: bytes, settings: Settings, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    names = providers.providers_of(settings.device)
    given = {name: dict(providers.DEFAULT_OPTIONS.get(name, {})) for name in names}
    given[names[0]] |= {name: str(value) for name, value in settings.provider_options.items()}
    # Without enable_fallback=0 it would try again on the CPU, and print to stdout that it does.
    return onnxruntime.InferenceSession(content, options, providers=list(given.items()), enable_fallback=0)


def _session_options(settings: Settings, folded: bool, strict: bool) -> onnxruntime.SessionOptions:
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(settings.spinning)))
    options.enable_cpu_mem_arena = settings.arena
    if folded:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    if strict:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return options


def _check_settings(settings: Settings) -> None:
    if settings.device == providers.AUTO:
        raise InputError("device: expected one device, got 'auto', which edgelstm.load alone resolves")
    providers.providers_of(settings.device)
    if type(settings.threads) is not int or settings.threads < 1:
        raise InputError(f"threads: expected a whole number of at least 1, got {settings.threads!r}")
    if not isinstance(settings.provider_options, Mapping):
        raise InputError(
            f"provider_options: expected a dict of names and values, got {type(settings.provider_options).__name__}"
        )
    if settings.device == "cpu" and settings.provider_options:
        raise InputError("provider_options: the CPU takes none; omit them, or name the device that they are for")
    for name in ("spinning", "arena"):
        if type(getattr(settings, name)) is not bool:
            raise InputError(f"{name}: expected True or False, got {getattr(settings, name)!r}")
