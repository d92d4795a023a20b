"""The table and the chart of the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

OURS = "edgelstm fp32"
BEST = ("edgelstm fp32", "edgelstm int8", "edgelstm int8w")
COLORS = {
    "edgelstm fp32": "#0b6fb8",
    "edgelstm int8": "#64b5e8",
    "plain export": "#444444",
    "darts ONNX": "#8a8a8a",
    "torch eager": "#d9822b",
    "torch.compile": "#edae49",
    "LiteRT fp32": "#2e8b57",
    "LiteRT int8": "#8fcf9f",
    "OpenVINO": "#7b52ab",
}

Found = dict[str, Any]


def report(results: Found) -> str:
    """Everything, in Markdown."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        "# Beside what a user would pick instead",
        "",
        f"Made by `make benchmarks` in {results['seconds']} s. One LSTM layer, 8 inputs, one output, the same weights "
        "and samples for all, from numpy in to numpy out; one thread. Each peer is a process pinned to the same core; "
        f"they get turns of about 12 ms, {results['rounds']} rounds. `x edgelstm fp32` is our fp32 time by the peer's "
        "within a round, median (quartiles): **below 1 edgelstm is faster**; windows of 1,000 streams get 7 rounds. "
        "Before that each answered what edgelstm answers after 64 steps, within 1e-4; for int8 the column says how far "
        "off it is.",
        "",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}; {versions}.",
        "",
        "## What was asked for, at hidden 64",
        "",
        *(f"- {line}" for line in bars(results)),
        "",
    ]
    for what, streams, title in (
        ("step", 1, "One step"),
        ("window", 1, "One window of 64 steps"),
        ("step", 1000, "One step of 1,000 streams"),
        ("window", 1000, "Windows of 1,000 streams"),
    ):
        found = [case for case in results["cases"].values() if (case["what"], case["streams"]) == (what, streams)]
        if found:
            lines += [f"## {title}", "", *case_table(found), ""]
    lines += ["## Starting, memory, disk", "", *start_table(results), ""]
    lines += [f"- {peer}: not measured: {reason}" for peer, reason in results["missing"].items()]
    lines += [f"- {line}" for line in failures(results)]
    return "\n".join(lines).rstrip() + "\n"


def case_table(cases: list[Found]) -> list[str]:
    lines = ["| hidden | peer | us, median | x edgelstm fp32 | off by |", "|--:|---|--:|--:|--:|"]
    for case in cases:
        for peer, found in case["peers"].items():
            if "us" in found:
                low, middle, high = found["ratio"]
                ratio = "" if peer == OURS else f"{middle:.2f} ({low:.2f} to {high:.2f})"
                cells = [str(case["hidden"]), peer, number(found["us"][1]), ratio, f"{found['error']:.0e}"]
                lines.append("| " + " | ".join(cells) + " |")
    return lines


def start_table(results: Found) -> list[str]:
    lines = [
        "From the start of a process to its first prediction, a window of hidden 64; resident memory then; what is "
        "installed, by the packages' own lists of files, with all that they need.",
        "",
        "| | ms, median (quartiles) | edgelstm by it | resident MiB | installed MB |",
        "|---|--:|--:|--:|--:|",
    ]
    for peer, found in results["start"].items():
        low, middle, high = found["ms"]
        ratio = "{1:.2f} ({0:.2f} to {2:.2f})".format(*found["ratio"])
        sizes = results["installed_mb"][next(name for name in results["installed_mb"] if peer.startswith(name))]
        cells = [peer, f"{middle:.0f} ({low:.0f} to {high:.0f})", ratio, f"{found['resident_mib']:.0f}"]
        lines.append("| " + " | ".join([*cells, f"{sum(sizes.values()):.0f}"]) + " |")
    return lines


def failures(results: Found) -> list[str]:
    """List the failures, one line for each peer and reason."""
    reasons: dict[tuple[str, str], dict[str, list[str]]] = {}
    for case in results["cases"].values():
        kind = case["what"] + ("" if case["streams"] == 1 else f" of {case['streams']:,}")
        for peer, found in case["peers"].items():
            if "failed" in found:
                sizes = reasons.setdefault((peer, found["failed"]), {}).setdefault(kind, [])
                sizes.append(str(case["hidden"]))
    lines = []
    for (peer, reason), kinds in reasons.items():
        where = "; ".join(f"{kind} at {', '.join(sizes)}" for kind, sizes in kinds.items())
        lines.append(f"{peer}: not measured ({where}): {reason}")
    return lines


def bars(results: Found) -> list[str]:
    """List the bars of edgelstm, and whether this run reaches them."""
    lines = []
    step = results["cases"].get("step64x1", {}).get("peers", {})
    for peer, most in (("plain export", 0.5), ("torch eager", 0.15)):
        if "ratio" in step.get(peer, {}):
            lines.append(said(f"a step by a step of {peer}", step[peer]["ratio"][1], most))
    window = results["cases"].get("window64x1", {}).get("peers", {})
    if "us" in window.get("plain export", {}):
        best = best_of(window)
        ratio = window["plain export"]["ratio"][1] / window[best]["ratio"][1]
        lines.append(said(f"a window in the quickest precision, {best}, by one of plain export", ratio, 0.75))
        lines.append(f"a window in fp32 by one of plain export: {window['plain export']['ratio'][1]:.2f}")
    many = results["cases"].get("step64x1000", {}).get("peers", {})
    if many and step:
        times = 1000 * step[OURS]["us"][1] / many[OURS]["us"][1]
        verdict = "yes" if times >= 8 else "NO"
        lines.append(
            f"1,000 streams in one call, times as fast as single steps: {times:.1f}, to be at least 8: {verdict}"
        )
    for peer in ("LiteRT fp32", "LiteRT int8", "OpenVINO"):
        lines += window_lines(results, peer)
    start = results["start"].get("plain export")
    if start:
        lines.append(said("process start to first prediction by plain onnxruntime", start["ratio"][1], 1.15))
    return lines


def window_lines(results: Found, peer: str) -> list[str]:
    """Compare our best precision, and our fp32, with a peer at every size."""
    best, fp32 = [], []
    for case in results["cases"].values():
        found = case["peers"]
        if case["what"] == "window" and case["streams"] == 1 and "ratio" in found.get(peer, {}):
            name = best_of(found)
            ratio = found[peer]["ratio"][1]
            best.append((case["hidden"], ratio / found[name]["ratio"][1]))
            fp32.append((case["hidden"], ratio))
    if not best:
        return []
    verdict = "yes" if all(ratio < 1 for _, ratio in best) else "NO"
    texts = [", ".join(f"{ratio:.2f} at {hidden}" for hidden, ratio in part) for part in (best, fp32)]
    return [f"windows in the quickest precision by {peer}, to be below 1 at every size: {verdict} ({texts[0]}); "
            f"fp32: {texts[1]}"]  # fmt: skip


def best_of(found: Found) -> str:
    """Return our fastest precision, by medians of ratios."""
    return max((name for name in BEST if "ratio" in found.get(name, {})), key=lambda name: found[name]["ratio"][1])


def said(what: str, ratio: float, most: float) -> str:
    return f"{what}: {ratio:.2f}, to be at most {most}: {'yes' if ratio <= most else 'NO'}"


def number(us: float) -> str:
    return f"{us:,.0f}" if us >= 100 else f"{us:.1f}"


def draw(results: Found, path: Path) -> None:
    """Draw the speed relative to the plain export, by hidden size, in three panels; and the start in a fourth."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(11, 7.6), layout="constrained")
    _draw_speeds(axes[0, 0], results, "step", 1, "one step: times as fast as a plain export")
    _draw_speeds(axes[0, 1], results, "window", 1, "one window of 64 steps: likewise")
    _draw_speeds(axes[1, 0], results, "step", 1000, "one step of 1,000 streams: likewise")
    _draw_start(axes[1, 1], results)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    handles, labels = axes[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5, frameon=False)
    figure.savefig(path, dpi=130)


def _draw_speeds(axis: Any, results: Found, what: str, streams: int, title: str) -> None:
    cases = [case for case in results["cases"].values() if (case["what"], case["streams"]) == (what, streams)]
    for peer, color in COLORS.items():
        found = [
            (case["hidden"], case["peers"][peer]["ratio"][1] / case["peers"]["plain export"]["ratio"][1])
            for case in cases
            if "ratio" in case["peers"].get(peer, {}) and "ratio" in case["peers"]["plain export"]
        ]
        if found:
            width = 2.6 if peer.startswith("edgelstm") else 1.3
            axis.plot(*zip(*found, strict=True), "o-", color=color, label=peer, markersize=4, linewidth=width)
    sizes = [case["hidden"] for case in cases]
    axis.set(xscale="log", yscale="log", xlabel="hidden size")
    axis.set_title(title, loc="left", fontsize=11)
    axis.set_xticks(sizes, [str(size) for size in sizes])
    low, high = axis.get_ylim()
    ticks = [tick for tick in (0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 3, 5) if low <= tick <= high]
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()


def _draw_start(axis: Any, results: Found) -> None:
    peers = list(results["start"])[::-1]
    values = [results["start"][peer]["ms"][1] for peer in peers]
    colors = [COLORS[OURS if peer == "edgelstm" else peer] for peer in peers]
    bars_drawn = axis.barh(peers, values, color=colors, height=0.6)
    axis.bar_label(bars_drawn, [f"{value:,.0f}" for value in values], padding=4, fontsize=9)
    axis.set_title("process start to first prediction (ms)", loc="left", fontsize=11)
    axis.margins(x=0.15)
