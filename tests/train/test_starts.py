"""Starts: what is chosen, that a network begins with it exactly, and never loses to a baseline on validation."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from edgelstm.data.baselines.scaled import ScaledLine
from edgelstm.errors import RecipeError
from edgelstm.recipe.file import check_recipe
from edgelstm.train import fit, fit_recipe, starts
from edgelstm.train.defaults import settle
from edgelstm.train.setup import make_network
from edgelstm.train.tasks import TASKS

pytestmark = pytest.mark.usefixtures("no_report")

RNG = np.random.default_rng(2)

NAMES = ("y", "z")


@pytest.fixture(autouse=True)
def same_numbers_in_any_order():
    """Let a test draw the same numbers alone as in a whole run."""
    RNG.bit_generator.state = np.random.default_rng(2).bit_generator.state


def seasonal_series(rows=420, season=12, noise=0.3, outliers=0):
    values = 10 + np.sin(np.arange(rows) * 2 * np.pi / season) + noise * RNG.normal(size=rows)
    values[RNG.integers(0, rows, outliers)] += 300 * RNG.choice([-1, 1], outliers)
    return values


def write(tmp_path, values, second=None, name="t.csv"):
    second = np.roll(values, 1) if second is None else second
    lines = ["y,z", *(f"{a!r},{b!r}" for a, b in zip(values.tolist(), second.tolist(), strict=True)), ""]
    (tmp_path / name).write_text("\n".join(lines))
    return str(tmp_path / name)


def recipe(path, **changes):
    content = {
        "data": {"path": path, "targets": ["y"], "season": 12},
        "window": {"steps": 24, "horizon": 4},
        "network": {"hidden_size": 4},
        "training": {"epochs": 2},
    }
    for key, value in changes.items():
        section, name = key.split("__")
        content.setdefault(section, {})[name] = value
    return check_recipe(content, "test")


def made(asked):
    problem = TASKS["forecast"].read(asked)
    return problem, make_network(problem, settle(asked, problem))


def rmse(evaluation, part, name):
    return {one.name: one for one in evaluation.parts}[part].scored[name].score["rmse"]


@pytest.mark.parametrize("scaling", ["standard", "minmax", "none", "relative", "instance"])
@pytest.mark.parametrize("asked", ["auto", "persistence", "seasonal", "ridge"])
def test_a_network_begins_with_its_start_and_says_nothing_else(tmp_path, scaling, asked):
    problem, found = made(recipe(write(tmp_path, seasonal_series()), network__scaling=scaling, network__start=asked))
    with torch.no_grad():
        y = found.network.eval()(torch.from_numpy(problem.validation.x())).numpy()
    baselines = TASKS["forecast"].baselines(problem)
    of = {"persistence": "persistence", "seasonal": "seasonal naive with drift"}
    if asked in of:
        expected = baselines[of[asked]](problem.validation)(np.arange(len(y)))
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-4)
    if asked == "ridge" and scaling != "instance":  # there it has no intercept, which no instance scaling could hold
        expected = baselines["ridge"](problem.validation)(np.arange(len(y)))
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-4)
    if asked == "auto":
        error = np.sqrt(np.mean((y - problem.validation.y()) ** 2))
        assert error / problem.outputs[0].spread == pytest.approx(found.start.scaled_rmse, rel=1e-3)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kind", ["seasonal", "walk", "outliers"])
def test_no_network_is_worse_than_the_best_baseline_on_validation(tmp_path, kind, seed):
    values = {
        "seasonal": lambda: seasonal_series(),
        "walk": lambda: np.cumsum(RNG.normal(size=420)),
        "outliers": lambda: seasonal_series(outliers=12),
    }[kind]()
    fitted = fit_recipe(recipe(write(tmp_path, values), training__seed=seed), tmp_path / "run")
    of = ("persistence", "seasonal naive with drift", "ridge")
    best = min(rmse(fitted.evaluation, "validation", name) for name in of)
    assert rmse(fitted.evaluation, "validation", "network") <= best * (1 + 1e-6)
    assert rmse(fitted.evaluation, "validation", "line alone") <= best * (1 + 1e-6)


def test_an_epoch_that_does_harm_is_not_kept_and_the_line_stays(tmp_path):
    asked = recipe(write(tmp_path, seasonal_series()), training__learning_rate=100.0, training__schedule="constant")
    fitted = fit_recipe(asked, tmp_path / "run")
    assert fitted.run.record.best_epoch == 0
    for part in ("validation", "test"):
        assert rmse(fitted.evaluation, part, "network") == rmse(fitted.evaluation, part, "line alone")
    assert not fitted.run.weights["head.weight"].any()


def test_many_channels_each_get_their_own_line(tmp_path):
    asked = recipe(write(tmp_path, seasonal_series(), 1000 * np.cumsum(RNG.normal(size=420))), data__targets=["y", "z"])
    problem, found = made(asked)
    with torch.no_grad():
        y = found.network.eval()(torch.from_numpy(problem.validation.x())).numpy()
    error = np.sqrt(np.mean((y - problem.validation.y()) ** 2, axis=(0, 1)))
    naive = TASKS["forecast"].baselines(problem)["persistence"](problem.validation)(np.arange(len(y)))
    assert (error <= 1.05 * np.sqrt(np.mean((naive - problem.validation.y()) ** 2, axis=(0, 1)))).all()


def test_channels_that_share_a_network_share_a_line(tmp_path):
    asked = recipe(write(tmp_path, seasonal_series(), seasonal_series() * 50), data__targets=["y", "z"])
    problem, found = made(asked.model_copy(update={"network": asked.network.model_copy(update={"shared": True})}))
    assert found.network.highway.weight.shape == (4, 24)
    with torch.no_grad():
        y = found.network.eval()(torch.from_numpy(problem.validation.x())).numpy()
    spread = np.array([channel.spread for channel in problem.outputs])
    error = np.sqrt(np.mean(((y - problem.validation.y()) / spread) ** 2))
    assert error == pytest.approx(found.start.scaled_rmse, rel=1e-3)


def test_quantiles_begin_where_what_is_left_has_them(tmp_path):
    levels = [0.1, 0.5, 0.9]
    problem, found = made(recipe(write(tmp_path, seasonal_series()), window__quantiles=levels))
    with torch.no_grad():
        y = found.network.eval()(torch.from_numpy(problem.validation.x())).numpy()
    below = (problem.validation.y() <= y + 1e-6).mean(axis=(0, 1))
    np.testing.assert_allclose(below, levels, atol=0.03)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network__start": "none"}, ""),
        ({"network__state": "carried", "network__scaling": "standard"}, "a carried network has no window"),
        ({"split__validation": 0.0}, "chosen on validation data, and there is none"),
        ({"window__horizon": 60, "window__steps": 60, "data__targets": list("abcdefghij")}, "more than 262,144"),
    ],
)
def test_where_there_is_no_start_the_reason_is_said(tmp_path, changes, said):
    path = write(tmp_path, seasonal_series())
    if "data__targets" in changes:
        rows = np.cumsum(RNG.normal(size=(900, 10)), axis=0)
        np.savetxt(path, rows, delimiter=",", header=",".join("abcdefghij"), comments="")
    _, found = made(recipe(path, **changes))
    assert found.start is None
    assert said in found.said if said else found.said == ""
    assert found.network.plan.network.highway is None


@pytest.mark.parametrize("asked", ["persistence", "seasonal"])
def test_a_start_that_needs_the_past_of_the_target_is_refused_without_it(tmp_path, asked):
    path = write(tmp_path, seasonal_series())
    with pytest.raises(RecipeError, match=rf"network\.start: {asked}: .*possible are ridge"):
        made(recipe(path, data__features=["z"], network__start=asked))
    assert made(recipe(path, data__features=["z"]))[1].start is not None


def test_asked_for_a_start_needs_no_validation(tmp_path):
    _, found = made(recipe(write(tmp_path, seasonal_series()), split__validation=0.0, network__start="ridge"))
    assert found.start.words == "ridge"


def test_outliers_do_not_lead_to_a_line_that_loses(tmp_path):
    """A dozen spikes of 300 standard deviations turn ridge alone; robust ridge and the season are not turned.

    In nine of twelve draws: the start is chosen by the RMSE in validation, to which the spikes contribute most.
    """
    values = seasonal_series(outliers=12)
    problem, found = made(recipe(write(tmp_path, values)))
    _, ridge = made(recipe(write(tmp_path, values), network__start="ridge"))

    def median_error(network):
        with torch.no_grad():
            y = network.eval()(torch.from_numpy(problem.test.x())).numpy()
        return float(np.median(np.abs(y - problem.test.y())))

    assert median_error(found.network) <= 1.05 * median_error(ridge.network)


@pytest.mark.parametrize(("size", "level"), [(1e-10, 0.0), (1e6, 0.0), (1.0, 1e4)])
def test_every_figure_scales_with_the_data(tmp_path, size, level):
    """Figures of the same series in other units, and on another level, are the same figures."""
    values = np.round(seasonal_series(), 3)
    small = fit_recipe(recipe(write(tmp_path, values, name="a.csv")), tmp_path / "a").evaluation
    other = fit_recipe(recipe(write(tmp_path, values * size + level, name="b.csv")), tmp_path / "b").evaluation
    for part in ("validation", "test"):
        for name in small.parts[0].scored:
            expected = rmse(small, part, name) * size
            assert rmse(other, part, name) == pytest.approx(expected, rel=5e-3 if level else 1e-3), name


def test_arrays_of_ones_own_start_too_where_there_is_validation(tmp_path):
    values = seasonal_series().astype(np.float32)
    x = np.stack([values[i : i + 24, np.newaxis] for i in range(390)])
    y = np.stack([values[i + 24 : i + 26, np.newaxis] for i in range(390)])
    names = {"inputs": ["y"], "outputs": ["y"], "progress": False, "hidden_size": 4, "epochs": 1}
    with_validation = fit(x, y, tmp_path / "a", validation=0.2, **names)
    without = fit(x, y, tmp_path / "b", **names)
    assert with_validation.start is not None
    assert without.start is None
    recorded = json.loads((tmp_path / "a" / "recipe.json").read_text())
    assert recorded["network"]["scaling"] == "relative"


def test_one_window_trains_as_it_always_did(tmp_path):
    fitted = fit(
        np.ones((1, 5, 2), np.float32) * np.arange(5, dtype=np.float32)[:, np.newaxis],
        np.ones((1, 1), np.float32),
        tmp_path / "run",
        hidden_size=5,
        scaling="none",
        epochs=2,
        optimizer="adam",
        loss="mse",
        progress=False,
    )
    assert fitted.start is None
    assert fitted.recipe.training.schedule == "constant"


def walks(count, seed=0, size=1.0):
    """Windows of four samples and the one behind them, each of a walk of its own."""
    rows = size * np.cumsum(np.random.default_rng(seed).normal(size=(count, 5, 1)), axis=1)
    return rows[:, :4].astype(np.float32), rows[:, 4:].astype(np.float32)


def begun(folder, training, validation, **options):
    """What a training begins with: nothing moves."""
    still = {"learning_rate": 1e-30, "epochs": 1, "hidden_size": 2, "threads": 1, "scaling": "standard"}
    names = {"inputs": ("a",), "outputs": ("a",), "progress": False}
    return fit(*training, folder, validation=validation, **{**names, **still, **options})


def test_a_start_takes_eight_windows(tmp_path):
    for count in (7, 8):
        fitted = begun(tmp_path / str(count), walks(count), walks(30, 1))
        assert (fitted.start is not None) == (count == 8)


@pytest.mark.parametrize(("off", "left"), [(0.5, 0.5), (0.0, 1e-3)])
def test_the_network_learns_in_units_of_what_the_start_leaves_and_never_of_nothing(tmp_path, off, left):
    """Every target is off its last value by as much: that is what one scaled unit becomes, else a thousandth."""
    x, _ = walks(40)
    signs = np.where(np.arange(40) % 2, 1, -1)[:, np.newaxis, np.newaxis]
    y = (x[:, -1:] + off * signs).astype(np.float32)
    weights = begun(tmp_path / "run", (x, y), (x, y), start="persistence").run.weights
    assert weights["output_scale"] == pytest.approx(off if off else left * y.std(), rel=1e-3)


@pytest.mark.parametrize("levels", [(0.1, 0.5, 0.9), (0.2, 0.9)])
def test_the_quantiles_that_a_network_begins_with_are_those_of_validation(tmp_path, levels):
    training, validation = walks(60), walks(60, 1, size=7.0)
    run = begun(tmp_path / "run", training, validation, start="persistence", quantiles=levels).run
    offsets = np.quantile(validation[1] - validation[0][:, -1:], levels)
    expected = run.golden_x[:, -1:] + offsets
    np.testing.assert_allclose(run.golden_y, expected, rtol=1e-4, atol=1e-3)


def off_by(signs, *sizes):
    """Windows of two walks, one of them fifty times as large, and targets that are off their last values by so much."""
    x = walks(len(signs))[0] * np.array([1.0, 50.0], np.float32)
    return x, (x[:, -1:] + np.array(sizes) * signs[:, np.newaxis, np.newaxis]).astype(np.float32)


TWO = {"inputs": ("a", "b"), "outputs": ("a", "b"), "start": "persistence", "scaling": "none"}


@pytest.mark.parametrize("shared", [False, True])
def test_channels_that_share_a_network_share_the_unit_it_learns_in(tmp_path, shared):
    """That is the root of the mean square of what the start leaves of all of them."""
    x, y = off_by(np.where(np.arange(40) % 2, 1, -1), 0.5, 60.0)
    weights = begun(tmp_path / "run", (x, y), (x, y), shared=shared, **TWO).run.weights
    expected = np.sqrt((0.5**2 + 60**2) / 2) if shared else [0.5, 60.0]
    np.testing.assert_allclose(weights["output_scale"], expected, rtol=1e-3)


def test_channels_that_share_a_network_begin_with_quantiles_of_them_all(tmp_path):
    rng, levels = np.random.default_rng(0), (0.1, 0.5, 0.9)
    parts = [[off_by(rng.normal(size=50), size, 300 * size) for size in (part, 5 * part)] for part in (1.0, 3.0)]
    training, validation = ((one[0], np.concatenate([one[1], two[1]], axis=1)) for one, two in parts)  # two steps
    run = begun(tmp_path / "run", training, validation, quantiles=levels, shared=True, **TWO).run
    offsets = np.quantile(validation[1] - validation[0][:, -1:], levels, axis=(0, 2))  # of each step
    expected = run.golden_x[:, -1:, :, np.newaxis] + offsets.T[np.newaxis, :, np.newaxis]
    np.testing.assert_allclose(run.golden_y, expected.reshape(run.golden_y.shape), rtol=1e-3, atol=1e-2)


def test_what_a_start_leaves_is_asked_of_so_many_windows_from_the_first_to_the_last(tmp_path, monkeypatch):
    assert starts.MEASURED == 20_000
    monkeypatch.setattr(starts, "MEASURED", 3)
    x, _ = walks(41)
    off = np.ones(41)
    off[[0, 20, 40]] = 30, 21, 10
    y = (x[:, -1:] + off[:, np.newaxis, np.newaxis]).astype(np.float32)
    weights = begun(tmp_path / "run", (x, y), (x, y), start="persistence").run.weights
    assert weights["output_scale"] == pytest.approx(np.sqrt((30**2 + 21**2 + 10**2) / 3), rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "inputs", "shared", "words"),
    [
        ({"steps": 512, "horizon": 512}, 1, False, ""),
        ({"steps": 512, "horizon": 513}, 1, False, "262,656 weights, more than 262,144"),
        ({"steps": 512, "horizon": 128}, 2, False, ""),
        ({"steps": 513, "horizon": 128}, 2, False, "262,656 weights"),
        ({"steps": 512, "horizon": 512}, 2, True, ""),
        ({"x_starts": np.arange(8)}, 1, False, ""),
        ({"x_starts": np.arange(7)}, 1, False, "7 training windows are too few"),
    ],
)
def test_a_start_has_so_many_weights_at_most_and_windows_at_least(tmp_path, changes, inputs, shared, words):
    """Of T K O F weights; channels that share a network share those of one."""
    both = {"data__targets": list(NAMES)} if inputs == 2 else {"data__features": ["y"]}
    problem = TASKS["forecast"].read(recipe(write(tmp_path, seasonal_series()), network__shared=shared, **both))
    horizon = changes.get("horizon", problem.horizon)
    found = replace(problem, training=replace(problem.training, **changes), horizon=horizon)
    said = starts._none_because(found, recipe("x.csv", network__shared=shared).network)
    assert words in said if words else said == ""


@pytest.mark.parametrize(
    ("scaling", "shared", "none"),
    [
        ("standard", False, False),
        ("minmax", False, False),
        ("relative", False, True),
        ("instance", False, True),
        ("standard", True, True),
    ],
)
def test_a_start_without_the_past_of_the_targets_is_in_units_that_do_not_need_it(tmp_path, scaling, shared, none):
    problem = TASKS["forecast"].read(recipe(write(tmp_path, seasonal_series()), data__features=["z"]))
    network = recipe("x.csv", network__scaling=scaling, network__shared=shared).network
    assert starts._none_because(problem, network) == (
        "no start: the past of the targets is not among the inputs" if none else ""
    )


def test_a_start_is_told_by_its_shares_from_half_a_hundredth_on():
    line = ScaledLine(np.zeros((1, 1)), np.zeros(1))
    shares = {"a": 0.0049, "b": 0.3, "c": 0.6901, "d": 0.005}
    assert starts.Start(line, shares, 1.0).words == "0.69 c + 0.30 b + 0.01 d"
    assert starts.Start(line, {"a": 0.0049, "b": 0.9951}, 1.0).words == "b"


@pytest.mark.parametrize(("loss", "alone"), [("mse", False), ("mae", True)])
def test_what_is_asked_to_be_small_chooses_the_start(tmp_path, loss, alone):
    """Four of five targets are the last value, the fifth is its negative.

    Staying is off by 0.4 on average and by 0.8 squared; six tenths of it by 0.64 and by 0.64.
    """
    rng, parts = np.random.default_rng(0), []
    for _ in range(2):
        x = rng.normal(size=(1_000, 4, 1)).astype(np.float32)
        parts.append((x, x[:, -1:] * np.where(rng.random((1_000, 1, 1)) < 0.8, 1, -1).astype(np.float32)))
    fitted = begun(tmp_path / "run", *parts, loss=loss)
    assert (fitted.start.words == "persistence") == alone
