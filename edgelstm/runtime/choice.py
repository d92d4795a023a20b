"""Choose a device by trying all devices of this onnxruntime, for `device="auto"`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
import onnxruntime

from edgelstm.errors import EdgeLstmError, InputError, ProviderError
from edgelstm.runtime.engine.providers import AUTO, CPU, Choice, device_of
from edgelstm.runtime.predictor import Predictor
from edgelstm.runtime.replay import golden_rows, passing_times, replay

VARIABLE = "EDGELSTM_DEVICE"
ROUNDS = 15
# An accelerator must be this many times as fast as the CPU: less is noise, and the choice would change at each start.
MARGIN = 1.1

_REMOTE = "AzureExecutionProvider"  # calls a service; it runs no nodes


def choose(open_on: Callable[[str], Predictor]) -> Predictor:
    """Open a file on each device and take the fastest of those that reproduce its golden vectors.

    The environment variable `EDGELSTM_DEVICE` sets the device instead, so that every start is the same.

    Args:
        open_on: opens the file on the device of that name.

    Returns:
        A predictor whose `choice` says what was chosen and why.

    Raises:
        ProviderError: the device of `EDGELSTM_DEVICE` is unavailable, or no device reproduces the golden vectors.
        InputError: `EDGELSTM_DEVICE` names no device.
    """
    pinned = os.environ.get(VARIABLE)
    if pinned:
        return _pinned(pinned, open_on)
    opened: dict[str, Predictor] = {}
    refused: dict[str, str] = {}
    for device in _candidates():
        try:
            opened[device] = _proven(device, open_on)
        except ProviderError as error:
            refused[device] = str(error)
    if not opened:
        raise ProviderError("auto: no device reproduces the golden vectors: " + "; ".join(refused.values()))
    times = _golden_times(opened) if len(opened) > 1 else {}
    device = _fastest(times) if times else next(iter(opened))
    predictor = opened[device]
    predictor.choice = Choice(device, _reason(device, times, refused), times, refused)
    return predictor


def _candidates() -> list[str]:
    """The CPU first, so that a file that is wrong everywhere fails there."""
    found = [name for name in onnxruntime.get_available_providers() if name not in (CPU, _REMOTE)]
    return [device_of(name) for name in (CPU, *found)]


def _pinned(device: str, open_on: Callable[[str], Predictor]) -> Predictor:
    if device == AUTO:
        raise InputError(f"{VARIABLE}: expected a device, got 'auto'; unset it to choose automatically")
    try:
        predictor = open_on(device)
    except (InputError, ProviderError) as error:
        raise type(error)(f"{VARIABLE}={device}: {error}") from error
    predictor.choice = Choice(predictor.device, f"set by {VARIABLE}={device}", {}, {})
    return predictor


def _proven(device: str, open_on: Callable[[str], Predictor]) -> Predictor:
    """Open on a device and check the golden vectors there; on the CPU, `edgelstm verify` does that."""
    predictor = open_on(device)
    if device != device_of(CPU):
        try:
            result = replay(predictor)
        except EdgeLstmError:
            raise
        except Exception as error:  # onnxruntime's errors share no other base class
            raise ProviderError(f"{device} fails on the golden vectors: {error}") from error
        if not result.passed:
            pairs = zip(result.file_error, result.tolerance, strict=True)
            off = ", ".join(f"{error:.3g} (allowed {limit:.3g})" for error, limit in pairs)
            raise ProviderError(f"{device}: results differ from those at export by {off}")
    return predictor


def _golden_times(opened: dict[str, Predictor]) -> dict[str, float]:
    """Time one golden window on each device in turn, in the mode of the file: as a whole, or step by step."""
    times: dict[str, list[float]] = {device: [] for device in opened}
    calls = {device: _window_call(predictor) for device, predictor in opened.items()}
    for turn in range(ROUNDS + 2):
        for device, call in calls.items():
            start = time.perf_counter_ns()
            call()
            if turn >= 2:  # the first calls warm up
                times[device].append((time.perf_counter_ns() - start) / 1e3)
    return {device: float(np.median(found)) for device, found in times.items()}


def _window_call(predictor: Predictor) -> Callable[[], object]:
    row = golden_rows(predictor.golden)[0]
    if predictor.contract.state == "window":
        return lambda: predictor.bare.predict(*row)
    stream, times = predictor.bare.stream(), passing_times(predictor.golden)
    return lambda: [stream.step(sample, next(times), copy=False) for sample in row[0]]


def _fastest(times: dict[str, float]) -> str:
    cpu = device_of(CPU)
    best = min(times, key=lambda device: times[device])
    return cpu if cpu in times and times[best] * MARGIN > times[cpu] else best


def _reason(device: str, times: dict[str, float], refused: dict[str, str]) -> str:
    if not times:
        others = f"; refused: {', '.join(refused)}" if refused else ""
        return (
            f"{device} is the only device that this onnxruntime {onnxruntime.__version__} can run the file on{others}"
        )
    found = ", ".join(f"{name} {time_us:.0f} us" for name, time_us in sorted(times.items(), key=lambda item: item[1]))
    quickest = min(times, key=lambda name: times[name])
    margin = "" if device == quickest else f" (differences below {MARGIN:g} times are ignored)"
    return f"{device}, by the time of one golden window: {found}{margin}"
