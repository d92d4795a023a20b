"""Try an unverified file in a child process with limits, before this process loads it.

The structure of such a file is as safe as that of any other (`edgelstm.runtime.file.structure`), but it may use any
operator that onnxruntime knows, and its author is unknown. The child process shows how much memory and time it takes,
and whether it crashes a kernel.
"""

from __future__ import annotations

import signal
import subprocess
import sys

from edgelstm.errors import EdgeLstmError, ModelFileError

# Beyond the 0.2 GiB of Python, numpy and onnxruntime. Measured: 6 MiB for the co2 file of 79 kB.
MEMORY_BYTES = 512 * 2**20
MEMORY_PER_BYTE = 16
CPU_S = 30
WALL_S = 60

_REFUSED = 3
_CHILD = "import sys; sys.path[:] = sys.argv[1:]; from edgelstm.runtime.trial import _try; _try()"
# y = Identity(x), float32 [1]: onnxruntime inspects the processor when it opens its first session.
IDENTITY = (
    b'\x08\x08:7\n\x10\n\x01x\x12\x01y"\x08Identity\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01b\x0f\n'
    b"\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\x11"
)


def try_in_child(content: bytes, name: str = "model file") -> None:
    """Load a model file in a child process and run its golden windows there, on the CPU whatever the device will be.

    The child may use `CPU_S` seconds of processor time, `WALL_S` seconds in all, and `MEMORY_BYTES` of address space
    plus `MEMORY_PER_BYTE` for each byte of the file. It cannot open or write files, or leave a core dump. The answers
    are not checked here, but by `edgelstm.runtime.replay`.

    Args:
        content: the whole file.
        name: its name in errors.

    Raises:
        ModelFileError: the child refused the file, died, or took too long; or this system is not Linux.

    Example:
        >>> from pathlib import Path
        >>> try_in_child(Path("models/co2/co2.fp32.onnx").read_bytes())
    """
    if sys.platform != "linux":
        raise ModelFileError(
            f"{name}: cannot be tried: the limits of the child process need Linux, this is {sys.platform}"
        )
    if not sys.executable:
        raise ModelFileError(f"{name}: cannot be tried: this Python does not know its own executable")
    try:
        child = subprocess.run(  # noqa: S603  (our own interpreter, our own code)
            [sys.executable, "-c", _CHILD, *sys.path],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=WALL_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelFileError(f"{name}: in a trial child process it did not end within {WALL_S} s") from error
    if child.returncode == _REFUSED:
        raise ModelFileError(
            f"{name}: refused in a trial child process: {child.stdout[:500].decode(errors='replace').strip()}"
        )
    if child.returncode:
        raise ModelFileError(f"{name}: in a trial child process it {_ending(child.returncode)}; do not use this file")


def _ending(code: int) -> str:
    if code == -signal.SIGXCPU:
        return f"used more than {CPU_S} s of processor time"
    if code < 0:
        return f"died of {signal.Signals(-code).name}"
    return f"ended with status {code}"


def _try() -> None:
    """Run in the child: read the file from stdin, load it and run it; print the reason of a failure to stdout."""
    try:
        from edgelstm.runtime.engine.session import Settings, create_session
        from edgelstm.runtime.file.model_file import compute_digest, parse_model_file
        from edgelstm.runtime.predictor import Predictor
        from edgelstm.runtime.replay import golden_rows

        compute_digest(b"", (0, 0))
        create_session(IDENTITY, Settings())
        content = sys.stdin.buffer.read()
        _limit(MEMORY_BYTES + MEMORY_PER_BYTE * len(content))
        predictor = Predictor(parse_model_file(content, "model file", unverified=True))
        for row in golden_rows(predictor.golden):
            predictor.bare.predict(*row)
    except EdgeLstmError as error:
        _refuse(str(error))
    except Exception as error:  # onnxruntime's errors share no other base class
        _refuse(f"{type(error).__name__}: {error}")


def _refuse(reason: str) -> None:
    print(" ".join(reason.split()))
    raise SystemExit(_REFUSED)


def _limit(memory_bytes: int) -> None:
    """From here on, allow no open or written files and no core dump, and limit memory and time."""
    import resource

    with open("/proc/self/statm", encoding="ascii") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    limits = {
        resource.RLIMIT_AS: taken + memory_bytes,
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 0,
    }
    for limit, most in limits.items():
        _, hard = resource.getrlimit(limit)
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        # At the hard limit of CPU time the kernel sends SIGKILL, which would not say why.
        resource.setrlimit(limit, (soft, hard if limit == resource.RLIMIT_CPU else soft))
