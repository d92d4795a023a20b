"""Run in a child process what may crash: importing onnxruntime, and a model file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any, NamedTuple

IMPORT_S = 60.0
FILE_S = 120.0

_REFUSED = 3
_ANSWER = "edgelstm doctor: "  # imported packages may print too, even after this line
_PATH = """
import json, resource, sys
sys.path[:] = json.loads(sys.argv[1])
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
"""
_IMPORT = (
    _PATH
    + f"""
try:
    import onnxruntime
    found = {{"version": onnxruntime.__version__, "providers": onnxruntime.get_available_providers()}}
    found["place"] = onnxruntime.__file__
except BaseException as error:
    missing = isinstance(error, ModuleNotFoundError) and error.name == "onnxruntime"
    found = {{"missing": missing, "error": type(error).__name__ + ": " + str(error)}}
print("\\n{_ANSWER}" + json.dumps(found))
"""
)
_FILE = (
    _PATH
    + f"""
try:
    from edgelstm.runtime import load, replay
    predictor = load(sys.argv[2])
    result = replay(predictor)
    predictor.bare.stream().step(predictor.golden.x[0, 0])
    found = {{"passed": result.passed, "rows": result.rows, "off": max(result.file_error)}}
    found["allowed"] = max(result.tolerance)
except Exception as error:
    print("\\n{_ANSWER}" + " ".join(str(error).split()))
    raise SystemExit({_REFUSED})
print("\\n{_ANSWER}" + json.dumps(found))
"""
)
_DEVICE = (
    _PATH
    + f"""
try:
    from edgelstm.runtime.engine.session import Settings, create_session
    from edgelstm.runtime.trial import IDENTITY
    create_session(IDENTITY, Settings(sys.argv[2]))
except Exception as error:
    print("\\n{_ANSWER}" + " ".join(str(error).split()))
    raise SystemExit({_REFUSED})
print("{_ANSWER}{{}}")
"""
)


class Outcome(NamedTuple):
    """How a child process ended.

    Attributes:
        found: its results; None if it has none.
        trouble: how it ended instead, as the end of a sentence (`"died of SIGILL"`), or the sentence why it refused.
        refused: it ended itself, with a reason.
    """

    found: dict[str, Any] | None
    trouble: str | None = None
    refused: bool = False


def import_onnxruntime(timeout_s: float = IMPORT_S) -> Outcome:
    """Import onnxruntime in a child: its version, providers and path; or `missing` and `error`.

    Example:
        >>> import_onnxruntime().found["version"] > "1"
        True
    """
    return _ask(_IMPORT, [], timeout_s)


def try_device(device: str, timeout_s: float = IMPORT_S) -> Outcome:
    """Open the smallest graph on a device in a child.

    Example:
        >>> try_device("cpu").trouble is None
        True
    """
    return _ask(_DEVICE, [device], timeout_s)


def try_file(file: str, timeout_s: float = FILE_S) -> Outcome:
    """Load a model file in a child, replay its golden windows and take a step.

    Example:
        >>> try_file("models/co2/co2.fp32.onnx").found["passed"]
        True
    """
    return _ask(_FILE, [file], timeout_s)


def _ask(code: str, arguments: list[str], timeout_s: float) -> Outcome:
    if not sys.executable:
        return Outcome(None, "cannot be tried: this Python does not know its own executable")
    command = [sys.executable, "-c", code, json.dumps(sys.path), *arguments]
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    try:
        child = subprocess.run(  # noqa: S603  (our own interpreter, our own code)
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        return Outcome(None, f"did not end within {timeout_s:g} s")
    except OSError as error:
        return Outcome(None, f"cannot be tried: {error}")
    if child.returncode < 0:
        return Outcome(None, f"died of {_signal_name(-child.returncode)}")
    lines = child.stdout.decode(errors="replace").splitlines()
    answers = [line.removeprefix(_ANSWER) for line in lines if line.startswith(_ANSWER)]
    if child.returncode == _REFUSED and answers:
        return Outcome(None, answers[-1][:500], refused=True)
    if child.returncode or not answers:
        words = child.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        return Outcome(None, f"ended with status {child.returncode}: {words[-1][:500]}")
    return Outcome(json.loads(answers[-1]))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
