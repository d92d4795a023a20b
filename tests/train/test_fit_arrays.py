"""Fit a caller's own arrays: shapes, names, held-out parts, refusals."""

from __future__ import annotations

import csv
import signal

import numpy as np
import pytest

from edgelstm.errors import DataError, InputError, RecipeError, RunError, TrainingError
from edgelstm.run import read_run
from edgelstm.train import fit
from tests import oracles

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6, 2)).astype(np.float32)
Y = (X[:, :3, :1] * 2 + 5).astype(np.float32)


def fit_small(folder, x=X, y=Y, **options):
    settings = {"hidden_size": 4, "epochs": 2, "threads": 1, "progress": False, **options}
    return fit(x, y, folder, **settings)


def assert_same_weights(one, other):
    for name, tensor in one.weights.items():
        np.testing.assert_array_equal(tensor, other.weights[name], err_msg=name)


def scored(fitted):
    """The scores of each part by name, the network and its baselines by name."""
    return {part.name: {name: one.score for name, one in part.scored.items()} for part in fitted.evaluation.parts}


def losses(folder):
    with open(folder / "loss.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_the_same_seed_gives_the_same_weights_bit_for_bit(tmp_path):
    one, same = [fit_small(tmp_path / name, seed=3, dropout=0.2, num_layers=2).run for name in "ab"]
    assert_same_weights(one, same)


def test_arrays_without_validation_keep_the_last_epoch_and_are_not_scored(tmp_path):
    fitted = fit_small(tmp_path / "run", y=Y[:, 0], epochs=3)
    run = read_run(tmp_path / "run")
    assert run.record.best_epoch == 3
    assert run.golden_y.shape == (5, 1, 1)  # [N, O] is a horizon of one
    assert run.heldout is None
    assert scored(fitted) == {}
    assert [row["validation_loss"] for row in losses(tmp_path / "run")] == ["", "", ""]
    assert {path.name for path in run.path.glob("*.png")} == {"loss.png"}


def test_pairs_of_arrays_are_scored_and_their_names_kept(tmp_path):
    options = {"validation": (X[:9], Y[:9]), "test": (X[9:20], Y[9:20]), "inputs": ("p", "q"), "outputs": ("p",)}
    fitted = fit_small(tmp_path / "run", scaling="relative", name="pairs", **options)
    assert set(scored(fitted)) == {"validation", "test"}
    assert set(scored(fitted)["test"]) == {"network", "persistence", "ridge", "line alone"}
    run = read_run(tmp_path / "run")
    np.testing.assert_array_equal(run.heldout.x(), X[9:20])
    np.testing.assert_array_equal(run.heldout.y(), Y[9:20])
    assert run.record.network.relative_inputs == (0,)
    assert run.record.contract.name == "pairs"
    assert run.record.contract.provenance.data_sha256 is None


@pytest.mark.parametrize("shape", [(40, 6, 1), (40, 6, 2, 3)])
def test_a_carried_network_answers_behind_every_step(tmp_path, shape):
    y = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    fitted = fit_small(tmp_path / "run", y=y, state="carried", num_layers=2, validation=0.25)
    run = read_run(tmp_path / "run")
    horizon = 1 if len(shape) == 3 else shape[2]
    assert run.golden_y.shape == (5, 6, horizon, shape[-1])
    expected = oracles.forecast(run.weights, oracles.sizes_of(run), run.golden_x, every_step=True)
    np.testing.assert_allclose(run.golden_y, expected, rtol=1e-5, atol=1e-5)
    assert run.record.contract.state == "carried"
    assert [state.input for state in run.record.contract.states] == ["h0", "c0", "h1", "c1"]
    # The past of the targets is unknown here: only what needs none may stand beside the network.
    assert set(scored(fitted)["validation"]) == {"network", "ridge"}
    assert scored(fitted)["validation"]["ridge"]["rmse"] > 0.5


def test_patience_ends_a_training_that_learns_nothing(tmp_path):
    fit_small(tmp_path / "run", epochs=50, patience=3, learning_rate=1e-30, validation=0.25, start="none")
    assert len(losses(tmp_path / "run")) == 4
    assert read_run(tmp_path / "run").record.best_epoch == 1


def test_a_run_is_only_replaced_when_asked_to(tmp_path):
    first = fit_small(tmp_path / "run", test=(X, Y)).run
    with pytest.raises(RunError, match=r"a run already exists there.*--overwrite$"):  # finished: nothing to resume
        fit_small(tmp_path / "run", seed=1)
    assert_same_weights(first, read_run(tmp_path / "run"))
    second = fit_small(tmp_path / "run", seed=1, overwrite=True).run
    run = read_run(tmp_path / "run")
    assert_same_weights(second, run)
    assert not np.array_equal(first.weights["head.weight"], run.weights["head.weight"])
    assert run.heldout is None  # the test windows of the first run are not this one's


REFUSED = [
    ({"x": X * np.array([1, 0], np.float32)}, DataError, r"column 'x1' is constant"),
    ({"scaling": "relative"}, DataError, r"needs the past of 'y0', which is not among the inputs"),
    ({"patience": 3}, RecipeError, r"early stopping needs validation data"),
    ({"hiden_size": 3}, RecipeError, r"did you mean 'hidden_size'"),
    ({"epoch": 3}, RecipeError, r"did you mean 'epochs'"),
    ({"epochs": 0}, RecipeError, r"training\.epochs"),
    ({"name": "a b"}, RecipeError, r"name"),
    ({"x": X[0]}, InputError, r"expected x \[N, T, F\]"),
    ({"x": X * np.nan}, InputError, r"expected finite numbers"),
]


@pytest.mark.parametrize(("options", "kind", "complaint"), REFUSED)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(tmp_path, options, kind, complaint):
    with pytest.raises(kind, match=complaint):
        fit_small(tmp_path / "new" / "run", **options)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_trained_leaves_the_run_that_it_should_replace(tmp_path):
    fit_small(tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    for options, kind, _ in REFUSED:
        with pytest.raises(kind):
            fit_small(tmp_path / "run", overwrite=True, **options)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


WILD = {"optimizer": "sgd", "learning_rate": 1e30, "gradient_clip": 0}


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 5},
        {"epochs": 5, "validation": 0.25},
        # One step out of bounds behind a loss that was still finite: only the validation shows it.
        {"epochs": 1, "batch_size": 100, "validation": 0.25},
    ],
)
def test_a_training_that_diverges_is_one_clear_error(tmp_path, options):
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises((TrainingError, KeyboardInterrupt)) as caught:  # the latter would end the test run
        fit_small(tmp_path / "run", **WILD, **options)
    assert caught.type is TrainingError
    assert signal.getsignal(signal.SIGINT) is handler  # Ctrl-C is the caller's again
    assert caught.match(r"loss became.*learning-rate.*gradient-clip")
    assert "\n" not in str(caught.value)
    with pytest.raises(RunError, match="did not finish"):
        read_run(tmp_path / "run")
