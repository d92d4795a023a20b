"""Each option of a recipe but [training], which has test_steps, by its number; and the value of each default."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from edgelstm.data.readers.asking import Asking
from edgelstm.data.series import Series
from edgelstm.errors import RecipeError
from edgelstm.recipe.asking import asking_of
from edgelstm.recipe.file import check_recipe
from edgelstm.train import fit_recipe
from edgelstm.train.defaults import segment_of, settle, window_steps
from edgelstm.train.tasks import TASKS
from edgelstm.train.tasks.asking import some
from edgelstm.train.tasks.gaps import gap_lines
from tests.train import plain
from tests.train.by_hand import STILL, X, Y, answer, cosine, fit_plainly, losses, lstm, scaled, weights_of

pytestmark = pytest.mark.usefixtures("no_report")

DEFAULTS = {
    "name": "lstm",
    "task": "forecast",
    "data": {
        "path": "x.csv",
        "format": None,
        "delimiter": None,
        "decimal": None,
        "encoding": None,
        "skip_rows": None,
        "header": None,
        "na": (),
        "time": (),
        "time_format": None,
        "time_zone": None,
        "duplicates": "error",
        "series": None,
        "features": (),
        "targets": ("y",),
        "ahead": (),
        "calendar": (),
        "drift": {},
        "labels": None,
        "classes": False,
        "cap": None,
        "units": {},
        "missing": "interpolate",
        "max_gap": None,
        "resample": None,
        "season": None,
    },
    "split": {
        "training": None,
        "validation": 0.15,
        "test": 0.15,
        "borders": (),
        "validation_path": None,
        "test_path": None,
        "overlap": None,
        "seed": 0,
        "groups": None,
        "group": None,
        "validation_groups": (),
        "test_groups": (),
    },
    "window": {"steps": None, "horizon": 1, "stride": 1, "quantiles": ()},
    "network": {
        "hidden_size": None,
        "num_layers": 1,
        "bidirectional": False,
        "pooling": "last",
        "segment": None,
        "shared": False,
        "layer_norm": False,
        "embedding_size": 0,
        "head_size": 0,
        "dropout": None,
        "input_dropout": 0.0,
        "input_noise": 0.0,
        "scaling": None,
        "start": "auto",
        "state": "window",
    },
    "training": {
        "epochs": None,
        "epoch_windows": None,
        "time_limit": None,
        "batch_size": None,
        "loss": None,
        "class_weights": "none",
        "label_smoothing": 0.0,
        "initialization": "orthogonal",
        "optimizer": "adamw",
        "learning_rate": None,
        "schedule": None,
        "weight_decay": 0.0,
        "gradient_clip": 1.0,
        "average": None,
        "precision": "fp32",
        "patience": None,
        "threads": None,
        "seed": 0,
    },
    "quantization": {
        "precision": "int8",
        "per_channel": True,
        "clip": "none",
        "head": "int8",
        "epochs": 8,
        "learning_rate_factor": 0.2,
        "start": None,
    },
}


def recipe(path="x.csv", **changes):
    content = {"data": {"path": str(path), "targets": ["y"]}}
    for key, value in changes.items():
        section, name = key.split("__")
        content.setdefault(section, {})[name] = value
    return check_recipe(content, "test")


def test_a_recipe_that_asks_for_nothing_has_these_settings():
    """A key that comes anew, or goes, is entered here and into the loop of whoever reads old recipes."""
    found = check_recipe({"data": {"path": "x.csv", "targets": ["y"]}, "quantization": {}}, "test").model_dump()
    for section, expected in DEFAULTS.items():
        asked = {key: found[section][key] for key in expected} if isinstance(expected, dict) else found[section]
        assert asked == expected, section


TINY, HUGE = 1e-9, 10**12
LIMITS = {  # the smallest that is taken, the largest; just beyond them a value is refused
    "split__validation": (0.0, None),
    "split__seed": (0, None),
    "data__skip_rows": (0, None),
    "data__max_gap": (0, None),
    "data__season": (2, HUGE),
    "window__steps": (1, None),
    "window__horizon": (1, HUGE),
    "window__stride": (1, HUGE),
    "network__hidden_size": (1, HUGE),
    "network__num_layers": (1, 8),
    "network__segment": (1, HUGE),
    "network__embedding_size": (0, HUGE),
    "network__head_size": (0, HUGE),
    "network__dropout": (0.0, 1 - TINY),
    "network__input_dropout": (0.0, 1 - TINY),
    "network__input_noise": (0.0, HUGE),
    "training__epochs": (1, HUGE),
    "training__epoch_windows": (1, HUGE),
    "training__batch_size": (1, HUGE),
    "training__learning_rate": (TINY, HUGE),
    "training__weight_decay": (0.0, HUGE),
    "training__gradient_clip": (0.0, HUGE),
    "training__average": (0.0, 1 - TINY),
    "training__patience": (1, HUGE),
    "training__threads": (1, HUGE),
    "training__seed": (0, 2**31 - 1),
    "quantization__epochs": (1, HUGE),
    "quantization__learning_rate_factor": (TINY, HUGE),
}


@pytest.mark.parametrize("key", LIMITS)
def test_a_number_is_taken_up_to_its_limits_and_refused_beyond_them(key):
    section, name = key.split("__")
    low, high = LIMITS[key]
    step = TINY if isinstance(low, float) else 1
    for value in filter(lambda value: value is not None, (low, high)):
        assert getattr(getattr(recipe(**{key: value}), section), name) == value
    for value in (low - step, *([] if high in (None, HUGE) else [high + step])):
        with pytest.raises(RecipeError, match=name):
            recipe(**{key: value})


@pytest.mark.parametrize(
    ("levels", "taken"), [([TINY, 1 - TINY], True), ([0.0, 0.5], False), ([0.5, 1.0], False), ([0.5, 0.5], False)]
)
def test_quantiles_lie_between_nothing_and_all_and_grow(levels, taken):
    if taken:
        assert recipe(window__quantiles=levels).window.quantiles == tuple(levels)
        return
    with pytest.raises(RecipeError, match="quantiles"):
        recipe(window__quantiles=levels)


def test_a_chunk_to_label_has_64_steps_where_nobody_says():
    found = check_recipe({"task": "label", "data": {"path": "x.csv", "targets": ["y"], "features": ["x"]}}, "test")
    assert (found.window.steps, found.network.state) == (64, "carried")


def table(tmp_path, rows=600, columns=("y",), seed=0, name="t.csv"):
    values = np.cumsum(np.random.default_rng(seed).normal(size=(rows, len(columns))), axis=0)
    np.savetxt(tmp_path / name, values, delimiter=",", header=",".join(columns), comments="")
    return tmp_path / name


def problem(path, **changes):
    asked = recipe(path, **changes)
    return TASKS[asked.task].read(asked)


def with_windows(found, count):
    """The same problem with so many training windows."""
    starts = np.zeros(count, np.int64)
    return replace(found, training=replace(found.training, x_starts=starts, y_starts=starts + 12))


def test_a_forecast_is_trained_with_these_settings_where_nobody_says(tmp_path):
    asked = recipe(table(tmp_path), window__steps=12)
    found = settle(asked, with_windows(TASKS["forecast"].read(asked), 1_000))
    network, training = found.network, found.training
    assert (network.hidden_size, network.segment, network.dropout, network.scaling) == (32, 2, 0.3, "relative")
    assert (training.learning_rate, training.schedule, training.average) == (3e-3, "one-cycle", 0.98)
    assert (training.time_limit, training.threads, training.epoch_windows) == ("10m", 1, None)


@pytest.mark.parametrize(
    ("windows", "batch", "epochs", "hidden"),
    [
        (299, 16, 14, 32),  # 250 steps of 19
        (300, 32, 25, 32),
        (1_499, 32, 10, 32),  # never fewer epochs than ten
        (1_500, 64, 11, 32),
        (8_000, 128, 10, 32),
        (19_999, 128, 10, 32),
        (20_000, 128, 10, 64),
        (25_000, 256, 10, 64),
    ],
)
def test_batches_epochs_and_size_follow_the_number_of_windows(tmp_path, windows, batch, epochs, hidden):
    asked = recipe(table(tmp_path), window__steps=12)
    found = settle(asked, with_windows(TASKS["forecast"].read(asked), windows))
    assert (found.training.batch_size, found.training.epochs) == (batch, epochs)
    assert found.network.hidden_size == hidden


def test_an_epoch_of_a_very_large_table_draws_as_many_windows_as_the_time_allows(tmp_path):
    """200 seconds for ten epochs, at 8e9 multiplications in a second and 1.5 ms for each step of the optimizer."""
    asked = recipe(table(tmp_path), window__steps=12)
    found = settle(asked, with_windows(TASKS["forecast"].read(asked), 3_000_000))
    gates = 6 * 4 * 64 * (2 + 64)  # six segments of two samples
    each_s = 3 * (gates + 12) / 8e9 + 1.5e-3 / 256
    most = 200 / (10 * each_s)
    assert found.training.epoch_windows == pytest.approx(most, rel=0.1)
    assert found.training.epoch_windows <= most


def test_what_is_usual_where_there_is_no_validation(tmp_path):
    asked = recipe(table(tmp_path), window__steps=12, split__validation=0.0)
    found = settle(asked, TASKS["forecast"].read(asked))
    network, training = found.network, found.training
    assert (network.hidden_size, network.segment, network.dropout, network.scaling) == (64, 1, 0.0, "relative")
    assert (training.epochs, training.batch_size, training.learning_rate) == (60, 32, 1e-3)
    assert (training.schedule, training.average, training.time_limit) == ("constant", 0.0, None)


def test_a_run_that_is_trained_further_keeps_what_it_learned(tmp_path):
    asked = recipe(table(tmp_path), window__steps=12, network__run="imported", network__hidden_size=8)
    found = settle(asked, with_windows(TASKS["forecast"].read(asked), 1_499))
    training = found.training
    assert (training.epochs, training.batch_size, training.learning_rate) == (20, 32, 1e-3)
    assert (training.schedule, training.average, found.network.dropout) == ("cosine", 0.0, 0.0)


@pytest.mark.parametrize(("hidden", "threads"), [(255, 1), (256, None)])
def test_one_thread_is_enough_for_a_small_network(tmp_path, hidden, threads):
    """Below 2 ** 25 multiplications of a batch of 128 at a step: 128 * 4 * H * (1 + H)."""
    sizes = {"network__hidden_size": hidden, "network__segment": 1, "training__batch_size": 128}
    asked = recipe(table(tmp_path), window__steps=12, **sizes)
    assert settle(asked, TASKS["forecast"].read(asked)).training.threads == threads


@pytest.mark.parametrize(
    ("season", "horizon", "rows", "steps"),
    [
        (48, 1, 10**5, 144),
        (49, 1, 10**5, 98),
        (256, 1, 10**5, 512),
        (257, 1, 10**5, 257),
        (10, 1, 39, 9),
        (9, 1, 40, 9),
    ],
)
def test_a_window_has_three_seasons_two_or_one(season, horizon, rows, steps):
    assert window_steps(season, horizon, rows) == steps


@pytest.mark.parametrize(
    ("steps", "season", "size"), [(48, None, 6), (48, 16, 8), (60, 7, 10), (35, None, 5), (70, 10, 10), (49, 7, 7)]
)
def test_a_segment_is_about_a_seventh_of_the_window_in_step_with_the_season(steps, season, size):
    assert segment_of(steps, season) == size


@pytest.mark.parametrize(("ratio", "scaling"), [(2.9, "relative"), (3.1, "instance")])
def test_series_are_scaled_by_their_windows_where_their_sizes_differ_by_three(tmp_path, ratio, scaling):
    values = np.random.default_rng(0).normal(size=60)
    rows = [f"{name},{size * value}" for name, size in (("a", 1.0), ("b", ratio)) for value in values]
    (tmp_path / "t.csv").write_text("\n".join(["name,y", *rows, ""]))
    asked = recipe(tmp_path / "t.csv", data__series="name", window__steps=4)
    assert settle(asked, TASKS["forecast"].read(asked)).network.scaling == scaling


def test_every_option_of_reading_is_asked_of_the_table():
    given = {
        "time": ("day", "clock"),
        "series": "store",
        "format": "csv",
        "delimiter": ";",
        "decimal": ",",
        "encoding": "latin-1",
        "skip_rows": 3,
        "header": False,
        "na": ("-200",),
        "time_format": "%d.%m.%Y %H:%M",
        "time_zone": "Europe/Berlin",
        "resample": "1h",
        "duplicates": "mean",
    }
    asked = recipe(**{f"data__{key}": value for key, value in given.items()}, data__missing="forward", data__max_gap=5)
    expected = Asking(
        columns=("y",), targets=("y",), task="forecast", label="state", gaps="forward", max_gap=5, **given
    )
    assert asking_of(asked, ("y", "y"), ("y",), "state") == expected


ROWS = 100


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, (65, 14, 14)),  # 70 rows - 4 - 2 + 1, and of 15 each all but the last
        ({"split__overlap": False}, (65, 10, 10)),
        ({"window__stride": 4}, (17, 4, 4)),
        ({"window__horizon": 3}, (64, 13, 13)),
        ({"window__steps": 9}, (60, 14, 14)),
        ({"split__validation": 0.2}, (60, 19, 14)),
        ({"split__test": 0.3}, (50, 14, 29)),
        ({"split__training": 0.5}, (45, 14, 14)),  # and twenty rows that nobody uses
        ({"split__borders": [40, 60]}, (35, 19, None)),
        ({"split__borders": [40, 60, 90]}, (35, 19, 29)),
    ],
)
def test_windows_are_counted(tmp_path, changes, counts):
    found = problem(table(tmp_path, ROWS), **{"window__steps": 4, "window__horizon": 2, **changes})
    parts = (found.training, found.validation, found.test)
    assert tuple(None if part is None else len(part) for part in parts) == counts


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"data__max_gap": 3}, 0),
        ({"data__max_gap": 2}, 3 + 5),  # each window of six rows that touches one of three
        ({"data__missing": "forward", "data__max_gap": 2}, 8),
        ({"data__missing": "drop"}, 8),
        ({"data__max_gap": 0}, 8),
        ({"data__season": 9}, 0),  # a third of a season
        ({"data__season": 8}, 8),
        ({"window__steps": 24}, 0),  # an eighth of a window
        ({"window__steps": 23}, 23),  # the first ones
        ({}, 8),  # at least one
    ],
)
def test_windows_over_a_gap_that_is_longer_than_allowed_are_lost(tmp_path, changes, lost):
    values = [str(value) for value in np.random.default_rng(0).normal(size=ROWS)]
    values[20:23] = ["", "", ""]
    (tmp_path / "t.csv").write_text("\n".join(["t,y", *(f"{n},{value}" for n, value in enumerate(values)), ""]))
    found = problem(tmp_path / "t.csv", **{"window__steps": 4, "window__horizon": 2, **changes})
    windows = 70 - found.window - 2 + 1
    assert len(found.training) == windows - lost


@pytest.mark.parametrize(("missing", "filled"), [("interpolate", [1.0, 2.0, 3.0]), ("forward", [1.0, 1.0, 3.0])])
def test_a_gap_is_filled_as_asked(tmp_path, missing, filled):
    values = ["1", "", "3", *(str(n % 7) for n in range(60))]
    (tmp_path / "t.csv").write_text("\n".join(["t,y", *(f"{n},{value}" for n, value in enumerate(values)), ""]))
    found = problem(tmp_path / "t.csv", window__steps=4, data__missing=missing)
    assert found.training.x_rows[:3, 0].tolist() == filled


def test_what_is_known_ahead_is_given_as_far_ahead_as_the_horizon(tmp_path):
    path = table(tmp_path, ROWS, ("y", "plan"))
    asked = {"data__features": ["y", "plan"], "data__ahead": ["plan"], "window__steps": 4, "window__horizon": 3}
    found, values = problem(path, **asked), np.loadtxt(path, delimiter=",", skiprows=1)
    assert [channel.ahead for channel in found.inputs] == [0, 3]
    np.testing.assert_allclose(
        found.training.x(slice(0, 1))[0], np.stack([values[:4, 0], values[3:7, 1]], 1), rtol=1e-6
    )


def test_a_unit_and_a_season_reach_the_problem(tmp_path):
    found = problem(table(tmp_path), data__units={"y": "kW"}, data__season=11, window__steps=12)
    assert (found.inputs[0].unit, found.outputs[0].unit, found.season) == ("kW", "kW", 11)


@pytest.mark.parametrize(("season", "kept"), [(11, 11), (12, None)])
def test_a_season_counts_where_a_window_holds_it_and_one_sample_more(tmp_path, season, kept):
    assert problem(table(tmp_path), data__season=season, window__steps=12).season == kept


def test_series_to_classify_are_dealt_by_the_seed_of_the_split(tmp_path):
    for number in range(12):
        folder = tmp_path / "gestures" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        table(folder, 5, ("u",), number, f"{number}.csv")

    def held_out(seed):
        content = {"task": "classify", "data": {"path": str(tmp_path / "gestures")}, "split": {"seed": seed}}
        return TASKS["classify"].read(check_recipe(content, "test")).test.names

    assert held_out(1) == held_out(1)
    assert len({held_out(seed) for seed in range(6)}) > 1


def test_drift_shifts_a_channel_by_so_many_deviations_for_a_whole_window(tmp_path):
    """One window again and again: the mean loss is that over Gauss and Hermite's points of one shift for all steps."""
    steps, drift = 2, 1.5
    values = np.tile([[0.0, 1.0], [1.0, -3.0], [4.0, 0.0], [3.0, 0.0]], (8_000, 1))  # a window of two, two targets
    np.savetxt(tmp_path / "t.csv", values, delimiter=",", header="y,u", comments="")
    asked = {
        "data__features": ["y", "u"],
        "data__drift": {"u": drift},
        "window__steps": steps,
        "window__horizon": 2,
        "window__stride": 4,
        "split__validation": 0.2,
        "split__test": 0.0,
        "split__overlap": False,
        "training__epochs": 2,
        "training__learning_rate": STILL,
        "training__batch_size": 99_999,
        "training__initialization": "uniform",
        "network__hidden_size": 2,
    }
    still = {f"network__{key}": value for key, value in plain.NETWORK.items()}
    still |= {f"training__{key}": value for key, value in plain.TRAINING.items()}
    fitted = fit_recipe(recipe(tmp_path / "t.csv", **{**still, **asked}), tmp_path / "run")
    w, x = weights_of(fitted), values[None, :steps]
    y = (torch.tensor([[4.0], [3.0]]) - w["output_offset"]) / w["output_scale"]

    def expected(shift):
        return ((answer(w, scaled(w, x) + shift) - y) ** 2).mean().item()

    points, weights = np.polynomial.hermite_e.hermegauss(24)
    shifts = [torch.tensor([0.0, drift * point]) for point in points]
    mean = sum(p * expected(s) for p, s in zip(weights / weights.sum(), shifts, strict=True))
    trained, validated = np.mean(losses(tmp_path / "run"), axis=0)
    assert validated == pytest.approx(expected(0.0), rel=1e-4)
    assert trained - validated == pytest.approx(mean - expected(0.0), rel=0.1)


def test_orthogonal_weights_begin_with_open_forget_gates_and_a_silent_head(tmp_path):
    w = weights_of(
        fit_plainly(tmp_path / "run", initialization="orthogonal", learning_rate=STILL, num_layers=2, hidden_size=3)
    )
    for layer in range(2):
        for gate in w[f"lstm.weight_hh_l{layer}"].split(3):
            np.testing.assert_allclose(gate @ gate.T, np.eye(3), atol=1e-5)
        np.testing.assert_array_equal(w[f"lstm.bias_ih_l{layer}"], np.repeat([0, 1, 0, 0], 3))
        np.testing.assert_allclose(w[f"lstm.bias_hh_l{layer}"], 0, atol=1e-20)
    np.testing.assert_allclose(w["head.weight"], 0, atol=1e-20)
    np.testing.assert_allclose(w["head.bias"], 0, atol=1e-20)


def test_uniform_weights_lie_between_the_roots_of_the_size(tmp_path):
    w = weights_of(fit_plainly(tmp_path / "run", hidden_size=16, learning_rate=STILL))
    for name in ("lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0", "lstm.bias_hh_l0", "head.weight"):
        assert 0.7 / 4 < float(w[name].abs().max()) <= 1 / 4, name
    assert not np.allclose(w["lstm.bias_hh_l0"], 0, atol=1e-3)


SHAPES = {
    "hidden_size": (5, "lstm.weight_hh_l0", (20, 5)),
    "num_layers": (3, "lstm.weight_ih_l2", (8, 2)),
    "bidirectional": (True, "head.weight", (2, 4)),
    "segment": (3, "lstm.weight_ih_l0", (8, 6)),
    "embedding_size": (7, "embedding.weight", (7, 2)),
    "head_size": (7, "hidden.weight", (7, 2)),
    "layer_norm": (True, "lstm_norm.weight", (2,)),
}


@pytest.mark.parametrize("key", SHAPES)
def test_a_network_has_the_sizes_that_were_asked_for(tmp_path, key):
    value, name, shape = SHAPES[key]
    assert fit_plainly(tmp_path / "run", learning_rate=STILL, **{key: value}).run.weights[name].shape == shape


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_the_last_step_answers_or_the_mean_of_all(tmp_path, pooling):
    fitted = fit_plainly(tmp_path / "run", learning_rate=STILL, pooling=pooling)
    w = weights_of(fitted)
    h = lstm(w, scaled(w, X))
    z = (h[:, -1] if pooling == "last" else h.mean(1)) @ w["head.weight"].T + w["head.bias"]
    expected = z[..., None] * w["output_scale"] + w["output_offset"]
    np.testing.assert_allclose(fitted.run.golden_y, expected[: len(fitted.run.golden_y)], rtol=1e-5)


@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_each_window_is_scaled_by_its_own_mean_and_deviation_of_the_channel_that_is_forecast(tmp_path, shift):
    """Outputs in another order than the inputs, in other units: each takes the frame of its own past."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(30, 6, 3)) * [1, 30, 900] + [5, -300, shift]).astype(np.float32)
    y = x[:, :2, [2, 0]]
    fitted = fit_plainly(
        tmp_path / "run", x, y, inputs=("a", "b", "c"), outputs=("c", "a"), scaling="instance", learning_rate=STILL
    )
    w, run = weights_of(fitted), fitted.run
    golden = run.golden_x.astype(np.float64)
    own, used = [2, 0], x.reshape(-1, 3).astype(np.float64)
    mean, spread = golden.mean(1, keepdims=True), golden.std(1, keepdims=True)
    inside = (golden - mean) / spread
    inside[..., 1] = (golden[..., 1] - used[:, 1].mean()) / used[:, 1].std()  # is not forecast
    z = answer(w, torch.from_numpy(inside), 2).numpy()
    np.testing.assert_allclose(run.golden_y, z * spread[..., own] + mean[..., own], rtol=1e-3, atol=1e-2)
    assert run.record.network.relative_inputs == (2, 0)


SERIES = [np.full((n, 1), n, np.float32) + np.arange(n, dtype=np.float32)[:, None] for n in (3, 4, 5, 6)]
KINDS = ["a", "a", "a", "b"]


@pytest.mark.parametrize("weights", ["none", "balanced"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_rare_classes_weigh_more_and_labels_are_smoothed_in_training_alone(tmp_path, weights, smoothing):
    options = {"task": "classify", "class_weights": weights, "label_smoothing": smoothing, "batch_size": 99}
    fitted = fit_plainly(
        tmp_path / "run", SERIES, KINDS, validation=(SERIES, KINDS), learning_rate=STILL, scaling="standard", **options
    )
    w, classes = weights_of(fitted), np.array([0, 0, 0, 1])
    z = torch.cat([lstm(w, scaled(w, one[None]))[:, -1] for one in SERIES]) @ w["head.weight"].T + w["head.bias"]
    log = torch.log_softmax(z, -1).numpy()
    weight = {"none": np.ones(2), "balanced": 4 / (2 * np.array([3, 1]))}[weights]

    def loss(smoothing):
        plain = weight[classes] * log[np.arange(4), classes]
        smooth = (weight * log).sum(1) / 2
        return -((1 - smoothing) * plain + smoothing * smooth).sum() / weight[classes].sum()

    assert losses(tmp_path / "run")[0] == pytest.approx((loss(smoothing), loss(0.0)), rel=1e-5)


def test_fine_tuning_is_gentler_and_falls_to_nothing(tmp_path):
    """So many epochs, at a fifth of the rate, as a cosine, whatever the training before it did."""
    rates = []
    handle = register_optimizer_step_pre_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    try:
        fit_plainly(
            tmp_path / "run",
            validation=(X, Y),
            epochs=2,
            batch_size=2,
            learning_rate=0.05,
            average=0.9,
            patience=1,
            quantization={"epochs": 3, "learning_rate_factor": 0.1},
        )
    finally:
        handle.remove()
    assert rates[:-9] == [0.05] * (len(rates) - 9)
    assert rates[-9:] == pytest.approx(cosine(0.005, 9))


def test_the_usual_fine_tuning_has_eight_epochs_at_a_fifth_of_the_rate():
    training = plain.TRAINING | {"epochs": 3, "patience": 2, "average": 0.9, "time_limit": "1m"}
    content = {"data": {"path": "x", "targets": ["y"]}, "quantization": {}, "training": training}
    asked = check_recipe(content, "test")
    found = asked.quantization.training_of(asked.training)
    assert found == asked.training.model_copy(
        update={
            "epochs": 8,
            "learning_rate": pytest.approx(2e-4),
            "schedule": "cosine",
            "patience": None,
            "average": 0.0,
            "time_limit": None,
        }
    )


def test_a_line_names_six_things_and_counts_the_others():
    assert some(list("abcdef")) == "a, b, c, d, e, f"
    assert some(list("abcdefgh")) == "a, b, c, d, e, f and 2 more"


def test_gaps_of_eight_columns_are_told_one_by_one_and_the_others_counted():
    values = np.full((3, 10), np.nan)
    values[0] = 1.0
    names = tuple("abcdefghij")
    series = Series(names, values, None, None, None)
    lines = gap_lines([series], [(name, name) for name in names], "drop", None)
    assert [line.split(":")[0] for line in lines[:-1]] == list("abcdefgh")
    assert lines[-1] == "samples are missing in 2 more columns"
