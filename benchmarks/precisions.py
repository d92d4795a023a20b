"""Size, latency, accuracy and stream difference of every precision, by hidden size, and where int8 pays.

    python -m benchmarks.precisions

Trains a carried network of each size on the Lorenz system, exports and judges it as `edgelstm export --quantize auto`
does (all precisions interleaved, one thread, medians of ratios), and writes results/precisions.json, .md and .png.
About fifteen minutes on two cores; give sizes for fewer. `--plot` only draws the picture and the table again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks import RESULTS, lorenz
from edgelstm.export import export_run
from edgelstm.strict_json import plain

HIDDEN = (16, 50, 64, 128, 256, 512)
EPOCHS = 40
COLORS = {"fp32": "#444444", "int8": "#d1495b", "int8w": "#00798c", "fp16": "#edae49"}
LINES = {"fp32": "o-", "int8": "o-", "int8w": "o--", "fp16": "o:"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hidden", type=int, nargs="*", default=HIDDEN)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--plot", action="store_true", help="only draw the earlier results again")
    asked = parser.parse_args()
    place = RESULTS / "precisions.json"
    if asked.plot:
        judgements = json.loads(place.read_text())
    else:
        judgements = {str(size): measure(size, asked.epochs) for size in asked.hidden}
        place.write_text(json.dumps(judgements, indent=1) + "\n")
    text = report(judgements)
    (RESULTS / "precisions.md").write_text(text)
    draw(judgements, RESULTS / "precisions.png")
    print(text)


def measure(hidden_size: int, epochs: int) -> dict:
    """Train, export and judge one size."""
    from edgelstm.train import fit

    data = lorenz.parts()
    with tempfile.TemporaryDirectory() as folder:
        fit(
            *data["training"],
            folder,
            validation=data["validation"],
            test=data["test"],
            name=f"lorenz{hidden_size}",
            inputs=("x", "y", "z"),
            outputs=("x",),
            progress=False,
            state="carried",
            hidden_size=hidden_size,
            epochs=epochs,
            learning_rate=5e-3 if hidden_size <= 128 else 2e-3,
            schedule="one-cycle",
        )
        export = export_run(folder, precisions=["int8", "int8w", "fp16"], max_metric_drop=0.01)
    print(f"hidden {hidden_size}: {export.judgement.sentences[0]}", file=sys.stderr)
    return plain(export.judgement)


def report(judgements: dict) -> str:
    """The table and the crossover, in Markdown."""
    first = next(iter(judgements.values()))
    machine = first["machine"]
    lines = [
        "# Precisions by hidden size",
        "",
        "Made by `python -m benchmarks.precisions`: one LSTM layer, 3 inputs, carried state, trained on the Lorenz "
        f"system; steps carried over {first['steps']:,} samples, windows of {lorenz.WINDOW} steps. Latencies: all four "
        "files in turn, one thread; `x fp32` is the median over rounds of fp32's time by this file's: above 1 is "
        "faster. RMSE on the test part in the unit of the series, whose standard deviation is 7.9. In standard "
        "deviations of the output: max error, the largest difference from fp32's answers; stream, between stepping and "
        "the same samples at once; neighbours, of a row in a batch from the row alone.",
        "",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, "
        f"onnxruntime {machine['versions']['onnxruntime']}.",
        "",
        "| hidden | precision | bytes | load | step p50 | p99 | x fp32 | window p50 | p99 | x fp32 | RMSE | max error "
        "| stream | neighbours |",
        "|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for hidden, judgement in judgements.items():
        for file in judgement["files"]:
            step, window = file["step"], file["window"]
            cells = [hidden, file["precision"], f"{file['size_bytes']:,}", f"{file['load_ms']:.1f} ms"]
            cells += [f"{step['p50_us']:.1f} us", f"{step['p99_us']:.1f} us", f"{file['step_speed']:.2f}"]
            cells += [f"{window['p50_us']:.0f} us", f"{window['p99_us']:.0f} us", f"{file['window_speed']:.2f}"]
            cells += [f"{file['metric']:.4g}"]
            cells += [f"{file[key]:.1e}" for key in ("max_error", "stream_difference", "neighbour_difference")]
            lines.append("| " + " | ".join(cells) + " |")
    lines += ["", *(crossover(judgements, what) for what in ("step", "window")), ""]
    lines += [f"- hidden {hidden}: {judgement['sentences'][0]}" for hidden, judgement in judgements.items()]
    return "\n".join(lines) + "\n"


def crossover(judgements: dict, what: str) -> str:
    """Say from which size int8 is faster than fp32."""
    speed = {
        int(hidden): next(f for f in judgement["files"] if f["precision"] == "int8")[f"{what}_speed"]
        for hidden, judgement in judgements.items()
    }
    sizes = sorted(speed)
    losing = [size for size in sizes if speed[size] < 1]
    if not losing:
        return f"- int8 is faster for a {what} at every size, from {speed[sizes[0]]:.2f} times at hidden {sizes[0]}."
    winning = [size for size in sizes if size > losing[-1]]
    if not winning:
        return f"- int8 is not faster for a {what} at any size up to {sizes[-1]}."
    return (
        f"- int8 begins to win a {what} between hidden {losing[-1]} ({speed[losing[-1]]:.2f} times as fast as fp32) "
        f"and {winning[0]} ({speed[winning[0]]:.2f})."
    )


def draw(judgements: dict, path: Path) -> None:
    """Six panels over the hidden size: bytes, latencies, accuracy, stream difference, and where int8 begins to win."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sizes = [int(hidden) for hidden in judgements]
    files = {p: [next(f for f in j["files"] if f["precision"] == p) for j in judgements.values()] for p in COLORS}
    figure, axes = pyplot.subplots(2, 3, figsize=(12, 6.4), layout="constrained")
    panels = (
        ("kB of the file", lambda f: f["size_bytes"] / 1e3, "log"),
        ("median step (us)", lambda f: f["step"]["p50_us"], "log"),
        (f"median window of {lorenz.WINDOW} steps (us)", lambda f: f["window"]["p50_us"], "log"),
        ("test RMSE worse than fp32 (%)", lambda f: 100 * f["drop"], "linear"),
        ("stream against window (% of the output's std)", lambda f: 100 * f["stream_difference"], "linear"),
    )
    for axis, (title, value, scale) in zip(axes.flat, panels, strict=False):
        for precision, color in COLORS.items():
            found = [value(f) for f in files[precision]]
            axis.plot(sizes, found, LINES[precision], color=color, markersize=4, label=precision)
        axis.set_title(title, fontsize=11, loc="left")
        axis.set_yscale(scale)
        if scale == "log":
            low, high = axis.get_ylim()
            ticks = [t for t in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if low < t < high]
            axis.set_yticks(ticks, [f"{t:,}" for t in ticks])
    _draw_crossover(axes[1, 2], sizes, files["int8"])
    for axis in axes.flat:
        axis.set(xscale="log", xlabel="hidden size")
        axis.set_xticks(sizes, [str(size) for size in sizes])
        axis.minorticks_off()
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    figure.savefig(path, dpi=130)


def _draw_crossover(axis, sizes: list[int], files: list[dict]) -> None:
    """Speed of int8 against fp32, for a step and a window."""
    for what, line in (("step", "o-"), ("window", "s--")):
        axis.plot(sizes, [f[f"{what}_speed"] for f in files], line, color=COLORS["int8"], markersize=4, label=what)
    axis.axhline(1, color="#444444", linewidth=0.8)
    axis.set_title("int8: times as fast as fp32", fontsize=11, loc="left")
    axis.legend(frameon=False, fontsize=9)


if __name__ == "__main__":
    main()
