"""From a table to a run to files to answers, of every task: what the trainer scored is what the files score.

Windows, truth and scores are made here once more from the table, in plain numpy: nothing of `edgelstm.data` is used.
"""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm import load
from edgelstm.export import export_run
from edgelstm.train import fit_recipe
from edgelstm.train.recipe_file import check_recipe

pytestmark = pytest.mark.usefixtures("rendered")
ROWS, TEST, STEPS, HORIZON = 400, 340, 12, 3  # of the table to forecast
LEVELS = np.array([0.1, 0.5, 0.9])
FIRST = np.datetime64("2024-03-01T00:00")
FORECAST = {"features": ["heat", "plan"], "targets": ["heat"], "time": "time", "ahead": ["plan"]}
NETWORK = {"hidden_size": 6, "num_layers": 2, "layer_norm": True, "head_size": 5}
TRAINING = {"epochs": 3, "threads": 1, "learning_rate": 0.02, "batch_size": 16}
RECIPES = {
    "a forecast": {"data": {**FORECAST, "calendar": ["hour", "weekday"]}},
    "quantiles": {"data": FORECAST, "window": {"quantiles": LEVELS.tolist()}, "network": {"scaling": "instance"}},
    "a carried forecast": {"data": {**FORECAST, "calendar": ["hour"]}, "network": {"state": "carried"}},
    "classes of series": {"task": "classify", "data": {"targets": ["kind"]}, "network": {"bidirectional": True}},
    "classes at every step": {"task": "label", "data": {"targets": ["state"], "classes": True}},
    "numbers at every step": {"task": "label", "data": {"targets": ["load"], "cap": 1.5}},
}


def plant():
    """float64 [400, 2] every hour: heat that follows the hour of day and a plan; and the plan."""
    rng, hours = np.random.default_rng(0), np.arange(ROWS)
    plan = np.repeat(rng.integers(0, 2, ROWS // 8), 8)
    heat = 20 + 5 * np.sin(2 * np.pi * hours / 24) + 3 * plan + rng.normal(size=ROWS) / 2
    return np.column_stack([heat, plan]).astype(np.float32)


def pumps(seed, count):
    """Series [T, 2] of different lengths, whose second channel swings in one of two ways."""
    rng = np.random.default_rng(seed)
    kinds = ["slow" if i % 2 else "fast" for i in range(count)]
    series = []
    for kind, length in zip(kinds, rng.integers(5, 40, count), strict=True):
        swing = np.sin(np.arange(length) * (0.3 if kind == "slow" else 1.2) + rng.uniform(0, 6))
        series.append(np.column_stack([rng.normal(size=length), swing]).round(5).astype(np.float32))
    return series, kinds


def state_of(x):
    return np.where(x[:, 1] > 0, "up", "down")


def load_of(x):
    """What has come in so far, fading; nobody knows that of every fifth step."""
    found = np.convolve(x[:, 0], 0.5 ** np.arange(8))[: len(x)].astype(np.float32)
    found[4::5] = np.nan
    return found


def write_pumps(path, seed, count):
    lines = ["unit,noise,swing,kind,state,load"]
    for i, (x, kind) in enumerate(zip(*pumps(seed, count), strict=True)):
        for (noise, swing), state, number in zip(x, state_of(x), load_of(x), strict=True):
            lines.append(f"{i},{noise},{swing},{kind},{state},{'' if np.isnan(number) else number}")
    path.write_text("\n".join([*lines, ""]))


def recipe_of(name, folder):
    content = {section: dict(values) for section, values in RECIPES[name].items() if section != "task"}
    task = RECIPES[name].get("task", "forecast")
    data = content["data"]
    if task == "forecast":
        stamps = FIRST + np.arange(ROWS) * np.timedelta64(1, "h")
        rows = [f"{stamp},{heat},{plan}" for stamp, (heat, plan) in zip(stamps, plant(), strict=True)]
        (folder / "t.csv").write_text("\n".join(["time,heat,plan", *rows, ""]))
        content["window"] = {"steps": STEPS, "horizon": HORIZON, **content.get("window", {})}
        content["split"] = {"overlap": False}  # a carried state begins with the part
    else:
        write_pumps(folder / "t.csv", 0, 20)
        write_pumps(folder / "test.csv", 1, 6)
        data |= {"series": "unit", "features": ["noise", "swing"]}
        content["split"] = {"test_path": str(folder / "test.csv"), "validation": 0.2}
        content["window"] = {"steps": 10 if task == "label" else 40}
    data["path"] = str(folder / "t.csv")
    content["network"] = {**NETWORK, **content.get("network", {})}
    return check_recipe({**content, "task": task, "training": TRAINING}, "test")


def windows():
    """x, times and truth of the test part: the plan stands a horizon early."""
    rows, starts = plant(), np.arange(TEST, ROWS - STEPS - HORIZON + 1)
    past = starts[:, np.newaxis] + np.arange(STEPS)
    x = np.stack([rows[past, 0], rows[past + HORIZON, 1]], axis=-1)
    return x, FIRST + past * np.timedelta64(1, "h"), rows[past[:, -1:] + 1 + np.arange(HORIZON), 0]


def forecast(predictor, name):
    """Answers [n, K, O] and truth [n, K]."""
    x, times, truth = windows()
    times = times if predictor.contract.times else None
    if name != "a carried forecast":
        return predictor.predict(x, time_s=times), truth
    stream, found = predictor.stream(), []
    rows = plant()
    for row in range(TEST, ROWS - HORIZON):
        found.append(stream.step([rows[row, 0], rows[row + HORIZON, 1]], FIRST + row * np.timedelta64(1, "h")))
    return np.stack(found)[STEPS - 1 :], truth


def numbers(y, truth):
    return {"rmse": np.sqrt(np.nanmean((y - truth) ** 2)), "mae": np.nanmean(np.abs(y - truth))}


def classes(y, truth, names):
    """From probabilities [n, C] and classes [n] by name."""
    place = np.array([names.index(name) for name in truth])
    return {
        "accuracy": (y.argmax(-1) == place).mean(),
        "log_loss": -np.log(np.maximum(y[np.arange(len(y)), place], 1e-15)).mean(),
    }


def score(predictor, name):
    """Ask a file for everything there is to ask of the test part, and score its answers."""
    contract = predictor.contract
    if contract.task == "forecast":
        y, truth = forecast(predictor, name)
        if name == "quantiles":
            error = truth[..., np.newaxis] - y
            return {"pinball": np.maximum(LEVELS * error, (LEVELS - 1) * error).mean()}
        return numbers(y[..., 0], truth)
    series, kinds = pumps(1, 6)
    names = [channel.name for channel in contract.outputs]
    if contract.task == "classify":
        lengths = np.array([len(one) for one in series])
        x = np.zeros((len(series), max(lengths), 2), np.float32)
        for row, one in zip(x, series, strict=True):
            row[: len(one)] = one
        return classes(predictor.predict(x, lengths), kinds, names)
    y = np.concatenate([predictor.stream().run(one) for one in series])
    if contract.answer == "class":
        return classes(y, np.concatenate([state_of(one) for one in series]), names)
    return numbers(y[..., 0], np.minimum(np.concatenate([load_of(one) for one in series]), 1.5))


@pytest.mark.parametrize("name", RECIPES)
def test_what_the_trainer_scored_is_what_the_files_score(name, tmp_path):
    fitted = fit_recipe(recipe_of(name, tmp_path), tmp_path / "run")
    export_run(tmp_path / "run", precisions=["int8", "int8w"], max_metric_drop=100.0)
    (trained,) = [part.networks["network"].score for part in fitted.evaluation.parts if part.name == "test"]
    found = {}
    for precision in ("fp32", "int8", "int8w"):
        predictor = load(tmp_path / "run" / f"lstm.{precision}.onnx")
        (recorded,) = [part for part in predictor.contract.metrics if part.part == "test"]
        found[precision] = score(predictor, name)
        for key, value in found[precision].items():
            assert value == pytest.approx(recorded.file[key], rel=2e-4), (precision, key)
            assert recorded.network[key] == trained[key]
    for key, value in found["fp32"].items():
        assert value == pytest.approx(trained[key], rel=2e-4), key
        if key != "accuracy":  # few series: a class or two may be the same in all files
            assert found["int8"][key] != value
