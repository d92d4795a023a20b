"""1e9 + f(t) learns like f(t), and f(t) in units of 1e-10 like f(t): same figures, same answers, in every file."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from edgelstm.answers import read_examples
from edgelstm.contract import Contract
from edgelstm.export import export_run
from edgelstm.recipe.file import check_recipe
from edgelstm.runtime import load
from edgelstm.train import fit_recipe

OFFSET, UNIT = 1e9, 2.0**-33  # close to 1e-10, and exact in float32
ROWS = 300


def wave():
    """Noise on a wave of which 1e9 + wave keeps every digit: float64 has 2^-23 left there."""
    rng = np.random.default_rng(0)
    values = np.sin(np.arange(ROWS) / 5) + 0.1 * rng.normal(size=ROWS)
    return np.round(values * 2**16) / 2**16


def write(path, values, **columns):
    table = {"v": [repr(float(value)) for value in values], **columns}
    path.write_text("\n".join([",".join(table), *map(",".join, zip(*table.values(), strict=True))]) + "\n")
    return path


def trained(folder, path, task="forecast", **sections):
    content = {
        "name": "small",
        "task": task,
        "data": {"path": str(path), "targets": ["v"], **sections.pop("data", {})},
        "window": {"steps": 12, "horizon": 3} if task == "forecast" else {},
        "network": {"hidden_size": 4, **sections.pop("network", {})},
        "training": {"epochs": 2, "threads": 1, "learning_rate": 1e-2},
        **sections,
    }
    return fit_recipe(check_recipe(content, "test"), folder)


def figures(fitted):
    return {(part.name, name): scored.score for part in fitted.evaluation.parts for name, scored in part.scored.items()}


@pytest.fixture(scope="module", params=["standard", "relative"])
def runs(request, tmp_path_factory):
    """The same series as it is, far off, and in another unit."""
    folder = tmp_path_factory.mktemp(request.param)
    series = {"plain": wave(), "far": OFFSET + wave(), "small": UNIT * wave()}
    found = {}
    for name, values in series.items():
        path = write(folder / f"{name}.csv", values)
        found[name] = path, trained(folder / name, path, network={"scaling": request.param})
        export_run(folder / name, folder / f"{name}-files", precisions=["int8", "int8w"])
    return folder, found


def test_an_offset_changes_no_figure(runs):
    _, found = runs
    plain, far = (figures(found[name][1]) for name in ("plain", "far"))
    assert plain.keys() == far.keys()
    for key, score in plain.items():
        assert far[key] == pytest.approx(score, rel=1e-6), key


def test_a_unit_changes_every_figure_by_itself(runs):
    _, found = runs
    plain, small = (figures(found[name][1]) for name in ("plain", "small"))
    powers = {"mse": 2, "mae": 1, "rmse": 1, "scaled_mse": 0, "scaled_mae": 0}
    for key, score in plain.items():
        expected = {figure: value * UNIT ** powers[figure] for figure, value in score.items()}
        assert small[key] == pytest.approx(expected, rel=1e-5), key


def test_statistics_are_physical_and_the_origin_is_a_round_number(runs):
    _, found = runs
    contract: Contract = found["far"][1].run.record.contract
    (channel,) = contract.inputs
    assert channel.origin == OFFSET
    assert contract.outputs[0].origin == OFFSET
    assert channel.statistics.mean == pytest.approx(OFFSET + found["plain"][1].problem.inputs[0].statistics.mean)
    assert [found[name][1].problem.inputs[0].origin for name in ("plain", "small")] == [0, 0]


@pytest.mark.parametrize("precision", ["fp32", "int8", "int8w"])
def test_every_file_answers_from_the_origin_and_scores_the_same(runs, precision):
    folder, found = runs
    plain, far = (load(folder / f"{name}-files" / f"small.{precision}.onnx") for name in ("plain", "far"))
    windows = np.stack([wave()[i : i + 12, np.newaxis] for i in range(20)])
    np.testing.assert_allclose(
        far.predict(windows + OFFSET), plain.predict(windows).astype(np.float64) + OFFSET, rtol=0, atol=1e-6
    )
    by_file = [predictor.contract.metrics[1].file for predictor in (plain, far)]
    assert by_file[1] == pytest.approx(by_file[0], rel=1e-6)
    examples = [
        read_examples(found[name][0], load_contract)
        for name, load_contract in (("plain", plain.contract), ("far", far.contract))
    ]
    np.testing.assert_allclose(examples[0].examples.x_rows, examples[1].examples.x_rows, atol=1e-7)


@pytest.mark.parametrize("precision", ["fp32", "int8", "int8w"])
def test_predict_and_evaluate_take_the_table_and_tell_physical_values(runs, cli_here, precision):
    folder, found = runs
    answers = {}
    for name in ("plain", "far", "small"):
        file = folder / f"{name}-files" / f"small.{precision}.onnx"
        result = cli_here("predict", file, found[name][0], "--all")
        assert result.returncode == 0, result.stderr
        answers[name] = np.array([float(row["v"]) for row in csv.DictReader(io.StringIO(result.stdout))])
        assert cli_here("verify", file).returncode == 0
    np.testing.assert_allclose(answers["far"], answers["plain"] + OFFSET, rtol=0, atol=1e-6)
    np.testing.assert_allclose(answers["small"], answers["plain"] * UNIT, rtol=0, atol=1e-6 * UNIT)
    told = [
        cli_here("evaluate", folder / f"{name}-files" / f"small.{precision}.onnx", found[name][0], "-o", name).stdout
        for name in ("plain", "far")
    ]
    lines = [[line for line in text.splitlines() if "RMSE" in line or "persistence" in line] for text in told]
    assert lines[0] == lines[1]


def test_what_is_drawn_is_physical(runs):
    _, found = runs
    plain, far = (found[name][1].evaluation.parts[1] for name in ("plain", "far"))
    for one, other in (
        (plain.overview.truth, far.overview.truth),
        (plain.overview.answer, far.overview.answer),
        (plain.typical.history, far.typical.history),
        (plain.typical.truth, far.typical.truth),
        (plain.typical.answer, far.typical.answer),
        (plain.worst[0].others["persistence"], far.worst[0].others["persistence"]),
    ):
        np.testing.assert_allclose(other, one.astype(np.float64) + OFFSET, rtol=0, atol=1e-5)


def test_numbers_at_every_step_and_classes_do_not_mind_an_offset(tmp_path):
    level = np.abs(wave()) * 4
    columns = {
        "goal": [repr(float(v)) for v in np.round(level * 2**16) / 2**16],
        "on": (wave() > 0).astype(int).astype(str),
    }
    scores = []
    for offset in (0.0, OFFSET):
        far = {**columns, "goal": [repr(float(v) + offset) for v in columns["goal"]]}
        path = write(tmp_path / f"{offset:g}.csv", wave() + offset, **far)
        numbers = trained(
            tmp_path / f"n{offset:g}",
            path,
            "label",
            data={"features": ["v"], "targets": ["goal"]},
        )
        classes = trained(
            tmp_path / f"c{offset:g}",
            path,
            "label",
            data={"features": ["v"], "targets": ["on"], "classes": True},
        )
        found = [c.origin for c in (*numbers.problem.inputs, *numbers.problem.outputs)]
        assert found == pytest.approx([offset, offset], rel=1e-8)  # a round number among the values
        scores.append({**figures(numbers), **{("class", *key): value for key, value in figures(classes).items()}})
        first = numbers.evaluation.parts[1].worst[0] if numbers.evaluation.parts[1].worst else None
        assert first is None or abs(np.nanmean(first.truth) - offset) < 10
    assert scores[1] == {key: pytest.approx(value, rel=1e-5) for key, value in scores[0].items()}
