"""`edgelstm bench`: measure a file on this machine, and hold it against what was measured before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgelstm.cli.device import FAILED, Device, File, ProviderOption, Threads, Unverified, provider_options
from edgelstm.cli.words import fraction, microseconds, table
from edgelstm.errors import InputError
from edgelstm.files import write_all_whole
from edgelstm.strict_json import plain

if TYPE_CHECKING:
    from edgelstm.bench import BenchResult, Change, Condition


def bench(
    file: File,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the figures as JSON. [FILE.bench.json here]")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.01, help="For each of step, window and many streams.")] = 3.0,
    steps: Annotated[int, typer.Option(min=1, help="Of the long run, during which memory is watched.")] = 10_000,
    streams: Annotated[
        list[int] | None, typer.Option(min=1, help="How many step together; may be given often. [1, 100, 1000]")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw a picture, a PNG.")] = None,
    compare: Annotated[
        Path | None, typer.Option(help="Figures of before; exit 1 if a median became worse by too much.")
    ] = None,
    max_regression: Annotated[str | None, typer.Option(help="How much worse it may be. [10%]")] = None,
    even_if_different: Annotated[
        bool, typer.Option("--even-if-different", help="Compare another file, device or machine.")
    ] = False,
    device: Device = "cpu",
    provider_option: ProviderOption = None,
    threads: Threads = None,
    unverified: Unverified = False,
) -> None:
    """Measure start, step, window, many streams, memory and idling of a file on this machine."""
    from edgelstm.bench import bench_file, changes
    from edgelstm.bench.file import STREAMS
    from edgelstm.bench.picture import check_drawing, draw_result

    if compare is None and (max_regression is not None or even_if_different):
        option = "--even-if-different" if max_regression is None else "--max-regression"
        raise InputError(f"{option}: means nothing without --compare")
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
    """Read the figures of before, and say what is another now; an error unless that was asked for."""
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
            f"{place}: cannot be compared: {'; '.join(found)}; measure the old figures again, or add "
            "--even-if-different"
        )
    for difference in found:
        print(f"compared although {difference}")
    return old


def _holds(result: BenchResult, found: tuple[Change, ...], limit: float) -> bool:
    """Print what became of each figure; false if one is worse than allowed, or the run does not count."""
    print()
    print(change_words(found, limit))
    if result.throttled:
        print("this run is INVALID, it proves nothing: let the machine cool down and measure again")
        return False
    regressed = [change.what for change in found if change.worse > limit]
    print(f"worse by more than {limit:.3g} of before: {', '.join(regressed) or 'nothing'}")
    return not regressed


def change_words(found: tuple[Change, ...], limit: float) -> str:
    """Lay out figures of before and now."""
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
    """Lay out what was measured, and where."""
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
        f"{result.device}, {result.threads} thread(s); import {result.import_ms:.0f} ms, load {result.load_ms:.1f} ms, "
        f"first call {result.first_call_ms:.2f} ms",
        _conditions_words(result.before, result.after),
        "",
        table(["", "calls", "p50", "p90", "p99", "p99.9", "max"], rows),
        f"(less {result.overhead_us:.2f} us that timing a call takes by itself)",
    ]
    if result.state == "window":
        lines.append("(a step of a window network runs the last whole window from zero)")
    lines.append("")
    for part in result.throughput:
        lines.append(f"{part.streams:,} stream(s) in one call: {part.steps_per_s:,.0f} steps per second")
    return "\n".join([*lines, *_endurance_words(result)])


def _endurance_words(result: BenchResult) -> list[str]:
    run = result.long_run
    memory = "not told by this system"
    if result.resident_mib is not None and run.growth_mib is not None:
        memory = f"{result.resident_mib:.0f} MiB, {run.growth_mib:+.2f} MiB meanwhile"
    lines = [
        f"{run.steps:,} steps on end: {run.steps_per_s:,.0f} per second; resident memory {memory}",
        f"idle: {result.idle_cpu_percent:.1f} % of a core",
    ]
    if result.throttled:
        lines.append(f"INVALID: the machine throttled during this run: {', '.join(result.throttled)}")
    return lines


def _conditions_words(before: Condition, after: Condition) -> str:
    """Say how the machine was, as far as it tells."""
    untold = [name for name, value in after._asdict().items() if value is None]
    untold_words = f"not told by this system: {', '.join(name.partition('_')[0] for name in untold)}" if untold else ""
    told = "" if len(untold) == len(after) else f"before: {_condition_words(before)}; after: {_condition_words(after)}"
    return "; ".join(filter(None, (told, untold_words)))


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
