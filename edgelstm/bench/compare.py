"""Compare new figures with earlier ones: a gate for CI."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from edgelstm.bench.file import BenchResult
from edgelstm.bench.machine import Condition, Machine
from edgelstm.errors import InputError, counted
from edgelstm.strict_json import StrictJsonError, decode, parse


class Change(NamedTuple):
    """One figure, before and now; lower is better.

    Attributes:
        what: what was measured.
        unit: `"us"`, `"ms"`, `"MiB"`.
        old, new: the figures.

    Example:
        >>> Change("one step", "us", old=10.0, new=12.5).worse
        0.25
    """

    what: str
    unit: str
    old: float
    new: float

    @property
    def worse(self) -> float:
        """How much worse it became: 0.1 is ten percent worse, below zero is better."""
        return self.new / self.old - 1 if self.old > 0 else 0.0


def read_result(path: str | Path) -> BenchResult:
    """Read the figures of an `edgelstm bench`.

    Raises:
        InputError: the file does not exist, it is not from `edgelstm bench`, or its run was throttled.

    Example:
        >>> read_result("README.md")
        Traceback (most recent call last):
        edgelstm.errors.InputError: README.md: expected figures from `edgelstm bench` of this version: ...
    """
    try:
        result = decode(BenchResult, parse(Path(path).read_bytes()), "bench")
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: file not found; to get figures to compare with, run `edgelstm bench` first"
        ) from error
    except StrictJsonError as error:
        raise InputError(
            f"{path}: expected figures from `edgelstm bench` of this version: {error}; measure them again"
        ) from error
    if result.throttled:
        raise InputError(
            f"{path}: invalid, because the machine throttled ({', '.join(result.throttled)}); measure again"
        )
    return result


def differences(
    old: BenchResult, *, digest: str, device: str, threads: int, machine: Machine, condition: Condition
) -> tuple[str, ...]:
    """Say why new figures could not show whether the software became slower; empty if they can.

    Another release of the system, of Python or of a package is not a reason: that may be just what a gate tests.

    Args:
        old: the earlier figures.
        digest: digest of the file to measure now.
        device: the device to measure on.
        threads: the threads to measure with.
        machine: this machine.
        condition: its present condition.
    """
    there, before = old.machine, old.before
    pairs = (
        ("file", f"digest {old.digest[:12]}", f"digest {digest[:12]}"),
        ("device", old.device, device),
        ("number of threads", old.threads, threads),
        ("processor", there.cpu, machine.cpu),
        ("number of cores", there.cores, machine.cores),
        ("architecture", there.architecture, machine.architecture),
        ("governor", before.governor, condition.governor),
    )
    return tuple(f"the {what} was {then}, it is {now}" for what, then, now in pairs if then != now)


def changes(old: BenchResult, new: BenchResult) -> tuple[Change, ...]:
    """Pair the medians of two runs, and the memory; a number of streams that only one run has is skipped.

    Args:
        old: the earlier figures.
        new: the new figures.
    """
    found = [
        Change("import", "ms", old.import_ms, new.import_ms),
        Change("load", "ms", old.load_ms, new.load_ms),
        Change("first call", "ms", old.first_call_ms, new.first_call_ms),
        Change("one step", "us", old.step.p50_us, new.step.p50_us),
        Change("one window", "us", old.whole_window.p50_us, new.whole_window.p50_us),
    ]
    before = {part.streams: part for part in old.throughput}
    for part in new.throughput:
        if part.streams in before:
            times = [part.streams * 1e6 / p.steps_per_s for p in (before[part.streams], part)]
            found.append(Change(f"a step of {counted(part.streams, 'stream')}", "us", *times))
    if old.resident_mib is not None and new.resident_mib is not None:
        found.append(Change("resident memory", "MiB", old.resident_mib, new.resident_mib))
    return tuple(found)
