"""`edgelstm bench`: measure a file on this machine, and compare with earlier figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgelstm.cli.device import FAILED, Device, File, ProviderOption, Threads, Unverified, provider_options
from edgelstm.cli.words import fraction, microseconds, table
from edgelstm.errors import InputError, counted
from edgelstm.files import write_all_whole
from edgelstm.strict_json import plain

if TYPE_CHECKING:
    from edgelstm.bench import BenchResult, Change, Condition


def bench(
    file: File,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the figures as JSON. [FILE.bench.json here]")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.01, help="Seconds to measure step, window and many streams each.")
    ] = 3.0,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the long run, during which memory is watched.")] = 10_000,
    streams: Annotated[
        list[int] | None, typer.Option(min=1, help="Number of streams stepped in one call; repeatable. [1, 100, 1000]")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the figures into a PNG.")] = None,
    compare: Annotated[
        Path | None,
        typer.Option(help="Earlier figures (JSON); exit 1 if a median regressed too much."),
    ] = None,
    max_regression: Annotated[str | None, typer.Option(help="Largest regression of a median. [10%]")] = None,
    even_if_different: Annotated[
        bool, typer.Option("--even-if-different", help="Compare even if file, device or machine differ.")
    ] = False,
    device: Device = "cpu",
    provider_option: ProviderOption = None,
    threads: Threads = None,
    unverified: Unverified = False,
) -> None:
    """Measure start, step, window, many streams, memory and idle load of a file on this machine."""
    from edgelstm.bench import bench_file, changes
    from edgelstm.bench.file import STREAMS
    from edgelstm.bench.picture import check_drawing, draw_result

    if compare is None and (max_regression is not None or even_if_different):
        option = "--even-if-different" if max_regression is None else "--max-regression"
        raise InputError(f"{option} needs --compare")
    limit = fraction("--max-regression", max_regression or "10%")
    load_as: dict[str, Any] = {
        "device": device,
        "provider_options": provider_options(provider_option),
        "threads": threads,
        "unverified": unverified,
    }
    old = None if compare is None else _comparable(compare, file, load_as, even_if_different)
    if plot is not None:
        check_drawing()
    counts = tuple(dict.fromkeys(streams or STREAMS))
    result = bench_file(file, seconds=seconds, steps=steps, streams=counts, **load_as)
    print(bench_words(result))
    target = output or Path(f"{file.stem}.bench.json")
    content = {target: json.dumps(plain(result), indent=1).encode() + b"\n"}
    if plot is not None:
        content[plot] = draw_result(result, old)
    write_all_whole(content)
    print(f"wrote {' and '.join(map(str, content))}")
    if old is not None and not _holds(result, changes(old, result), limit):
        raise typer.Exit(FAILED)


def _comparable(place: Path, file: Path, load_as: dict[str, Any], even_if_different: bool) -> BenchResult:
    """Read earlier figures and print what differs now.

    Raises:
        InputError: something differs, and --even-if-different was not given.
    """
    from edgelstm.bench import describe_machine, differences, read_condition, read_result
    from edgelstm.runtime import load

    old, predictor = read_result(place), load(file, **load_as)
    found = differences(
        old,
        digest=predictor.digest,
        device=predictor.device,
        threads=predictor.threads,
        machine=describe_machine(),
        condition=read_condition(),
    )
    if found and not even_if_different:
        raise InputError(
            f"{place}: cannot compare: {'; '.join(found)}; repeat the old measurement, or add --even-if-different"
        )
    for difference in found:
        print(f"compared although {difference}")
    return old


def _holds(result: BenchResult, found: tuple[Change, ...], limit: float) -> bool:
    """Print how each figure changed; false if one is worse than allowed, or the run is invalid."""
    print()
    print(change_words(found, limit))
    if result.throttled:
        print("this run is INVALID because the machine throttled: let it cool down and measure again")
        return False
    regressed = [change.what for change in found if change.worse > limit]
    print(f"regressions of more than {limit:.3g}: {', '.join(regressed) or 'none'}")
    return not regressed


def change_words(found: tuple[Change, ...], limit: float) -> str:
    """Lay out earlier and present figures as a table."""
    rows = [
        [
            change.what,
            f"{change.old:.4g} {change.unit}",
            f"{change.new:.4g} {change.unit}",
            f"{change.worse:+.1%}",
            "REGRESSED" if change.worse > limit else "ok",
        ]
        for change in found
    ]
    return table(["medians", "before", "now", "change", ""], rows)


def bench_words(result: BenchResult) -> str:
    """Lay out what was measured, and on which machine."""
    machine = result.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    rows = [
        [name, f"{t.calls:,}", *(microseconds(v) for v in (t.p50_us, t.p90_us, t.p99_us, t.p999_us, t.max_us))]
        for name, t in (
            ("one step", result.step),
            (f"one window ({result.window} steps)", result.whole_window),
        )
    ]
    lines = [
        f"{result.file}: {result.precision}, state {result.state}, digest {result.digest[:12]}",
        f"{machine.cpu}, {machine.cores} cores, {machine.architecture}, {machine.system}",
        f"Python {machine.python}, {packages}",
        f"{result.device}, {counted(result.threads, 'thread')}; import {result.import_ms:.0f} ms, "
        f"load {result.load_ms:.1f} ms, first call {result.first_call_ms:.2f} ms",
        _conditions_words(result.before, result.after),
        "",
        table(["", "calls", "p50", "p90", "p99", "p99.9", "max"], rows),
        f"(the {result.overhead_us:.2f} us of timing a call are subtracted)",
    ]
    if result.state == "window":
        lines.append("(each step of a window network runs the whole last window)")
    lines.append("")
    for part in result.throughput:
        lines.append(f"{counted(part.streams, 'stream')} in one call: {part.steps_per_s:,.0f} steps per second")
    return "\n".join([*lines, *_endurance_words(result)])


def _endurance_words(result: BenchResult) -> list[str]:
    run = result.long_run
    memory = "not reported by this system"
    if result.resident_mib is not None and run.growth_mib is not None:
        memory = f"{result.resident_mib:.0f} MiB, changed by {run.growth_mib:+.2f} MiB"
    lines = [
        f"{run.steps:,} consecutive steps: {run.steps_per_s:,.0f} per second; resident memory {memory}",
        f"idle: {result.idle_cpu_percent:.1f} % of a core",
    ]
    if result.throttled:
        lines.append(f"INVALID: the machine throttled during this run: {', '.join(result.throttled)}")
    return lines


def _conditions_words(before: Condition, after: Condition) -> str:
    """Write the condition of the machine, as far as the system reports it."""
    missing = [name for name, value in after._asdict().items() if value is None]
    missing_words = (
        f"not reported by this system: {', '.join(name.partition('_')[0] for name in missing)}" if missing else ""
    )
    known = (
        "" if len(missing) == len(after) else f"before: {_condition_words(before)}; after: {_condition_words(after)}"
    )
    return "; ".join(filter(None, (known, missing_words)))


def _condition_words(condition: Condition) -> str:
    parts = []
    if condition.temperature_c is not None:
        parts.append(f"{condition.temperature_c:.0f} C")
    if condition.governor is not None:
        parts.append(f"governor {condition.governor}")
    if condition.clock_mhz is not None:
        parts.append(f"{condition.clock_mhz:.0f} MHz")
    if condition.throttling is not None:
        parts.append(f"throttled: {', '.join(condition.throttling.now) or 'no'}")
    return ", ".join(parts)
