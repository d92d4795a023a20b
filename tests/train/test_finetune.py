"""A run is fine-tuned for the file that is then exported: by its simulated loss, never to its harm, and resumed."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest

from edgelstm.contract import Quantization
from edgelstm.errors import DataError, ExportError, RecipeError, RunError, TrainingError
from edgelstm.export import export_run
from edgelstm.recipe.file import check_recipe
from edgelstm.run import read_run
from edgelstm.train import finetune, fit, fit_recipe, loop, resume_recipe, tasks
from edgelstm.train.defaults import settle
from edgelstm.train.networks.quantized import QuantizedNetwork
from edgelstm.train.setup import make_network
from tests.conftest import train_small

SMALL = {"window__stride": 8, "training__epochs": 4, "network__scaling": "relative"}
TUNING = {"quantization__epochs": 3}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train_small(tmp_path_factory.mktemp("tuned") / "small", **SMALL).run


@pytest.fixture(scope="module")
def tuned(trained):
    return finetune(trained.path, epochs=3)


def assert_same_weights(one, other):
    for name, tensor in one.weights.items():
        np.testing.assert_array_equal(tensor, other.weights[name], err_msg=name)


def test_the_new_run_lies_beside_the_old_one_which_stays(trained, tuned):
    assert tuned.run.path == trained.path.with_name("small-int8")
    assert_same_weights(read_run(trained.path), trained)
    assert read_run(tuned.run.path).record.tuned_for == ("int8", Quantization())
    assert trained.record.tuned_for is None


def assert_simulated_score_is_that_of_the_file(fitted, folder):
    (part,) = (part for part in fitted.evaluation.parts if part.name == "test")
    simulated, network = (part.networks[name].score for name in ("quantized", "network"))
    file = export_run(fitted.run.path, folder, precisions=[fitted.run.record.tuned_for[0]]).files[1]
    assert file.test == {name: pytest.approx(value, rel=1e-3) for name, value in simulated.items()}
    assert simulated != network


def test_the_simulated_score_is_that_of_the_exported_file(tuned, tmp_path):
    assert_simulated_score_is_that_of_the_file(tuned, tmp_path)


RNG = np.random.default_rng(0)
WALKS = [RNG.normal(size=(n, 2)).cumsum(0).astype(np.float32) + 100 for n in RNG.integers(5, 30, 60)]
ENDS = ["up" if walk[-1, 0] > walk[0, 0] else "down" for walk in WALKS]
LEVELS = [np.minimum(walk.cumsum(0)[:, :1] / 100, 20) for walk in WALKS]
WINDOWS = np.stack([RNG.normal(size=(40, 2)).cumsum(0) for _ in range(60)]).astype(np.float32)
WHOLE = {"inputs": ("a", "b"), "outputs": ("a", "b"), "hidden_size": 6}
TASKS = {
    "classes of sequences": (WALKS, ENDS, {"task": "classify", "bidirectional": True, "embedding_size": 4}),
    "labels of series": (WALKS, LEVELS, {"task": "label", "num_layers": 2, "layer_norm": True, "head_size": 5}),
    "quantiles of channels": (
        WINDOWS[:, :32],
        WINDOWS[:, 32:],
        {**WHOLE, "start": "none", "shared": True, "segment": 8, "scaling": "instance", "quantiles": (0.1, 0.5, 0.9)},
    ),
}


@pytest.mark.parametrize(("name", "precision"), [*((name, "int8") for name in TASKS), ("labels of series", "int8w")])
def test_a_file_of_any_task_scores_as_was_simulated(name, precision, tmp_path):
    x, y, options = TASKS[name]
    options = {"hidden_size": 8, "epochs": 1, "threads": 1, "progress": False, **options}
    held_out = {"validation": (x[40:50], y[40:50]), "test": (x[50:], y[50:])}
    asked = {"precision": precision, "epochs": 1}
    fitted = fit(x[:40], y[:40], tmp_path / "run", **held_out, quantization=asked, **options)
    assert_simulated_score_is_that_of_the_file(fitted, tmp_path / "files")


def test_training_with_it_is_training_and_then_fine_tuning(trained, tuned, tmp_path):
    whole = train_small(tmp_path / "run", **SMALL, **TUNING)
    assert_same_weights(whole.run, tuned.run)
    rows = [(run.path / "loss.csv").read_text().splitlines()[1:] for run in (trained, tuned.run, whole.run)]
    assert [row.split(",")[1:] for row in rows[2]] == [row.split(",")[1:] for row in rows[0] + rows[1]]
    assert whole.run.record.best_epoch == 4 + tuned.run.record.best_epoch


def test_fine_tuning_that_does_harm_keeps_the_weights_it_began_with(trained, tmp_path):
    harmed = finetune(trained.path, tmp_path / "run", epochs=1, learning_rate_factor=200)
    assert harmed.run.record.best_epoch == 0
    assert_same_weights(harmed.run, trained)
    for part in harmed.evaluation.parts:
        kept = {name: scored.score for name, scored in part.networks.items()}
        assert {name: scores[part.name].score for name, scores in harmed.before.items()} == kept


def test_the_scores_before_it_are_those_of_the_run(trained, tuned):
    known = json.loads((trained.path / "metrics.json").read_text())["parts"]
    assert tuned.before.keys() == {"network", "quantized"}
    for part, scores in known.items():
        before = tuned.before["network"][part].score
        assert before == {name: pytest.approx(scores["network"][name]) for name in before}


def test_arrays_are_fine_tuned_by_fit(tmp_path):
    x = np.random.default_rng(0).normal(size=(64, 8, 1)).astype(np.float32)
    options = {"hidden_size": 4, "epochs": 2, "validation": 0.25, "threads": 1, "progress": False}
    fit(x, x[:, -1], tmp_path / "run", **options)
    with pytest.raises(TrainingError, match=r"trained on arrays, not a table; call edgelstm\.train\.fit"):
        finetune(tmp_path / "run")
    asked = {"precision": "int8w", "epochs": 1, "start": str(tmp_path / "run")}
    assert fit(x, x[:, -1], tmp_path / "tuned", quantization=asked, **options).run.record.tuned_for[0] == "int8w"
    with pytest.raises(DataError, match="other data"):
        fit(2 * x, x[:, -1], tmp_path / "other", quantization=asked, **options)
    assert not (tmp_path / "other").exists()


def columns(path, changed=0.0):
    values = np.random.default_rng(0).normal(size=(90, 2)).cumsum(0)
    values[-1] += changed  # in the test part: no scale is measured there
    np.savetxt(path, values, delimiter=",", header="y,z", comments="")
    return str(path)


def asked_of(path, **changes):
    content = {
        "data": {"path": path, "features": ["y", "z"], "targets": ["y"]},
        "split": {"borders": [60, 75, 90]},
        "window": {"steps": 4},
        "network": {"hidden_size": 2, "scaling": "standard"},
        "training": {"epochs": 1, "threads": 1},
    }
    for key, value in changes.items():
        section, name = key.split("__")
        content.setdefault(section, {})[name] = value
    return check_recipe(content, "test")


@pytest.fixture(scope="module", params=["auto", "none"])
def first(request, tmp_path_factory):
    """A run with a line past its LSTM, and one without."""
    folder = tmp_path_factory.mktemp("first")
    return fit_recipe(asked_of(columns(folder / "t.csv"), network__start=request.param), folder / "run")


def started(first, path, **changes):
    """The network that fine-tuning begins with."""
    start = {"network__start": first.recipe.network.start, "quantization__start": str(first.run.path)}
    asked = asked_of(path, **start, **changes)
    problem = tasks.TASKS["forecast"].read(asked)
    return make_network(problem, settle(asked, problem)).network


def test_fine_tuning_begins_with_the_weights_of_the_run(first, tmp_path):
    network = started(first, columns(tmp_path / "elsewhere.csv"))
    for name, tensor in network.state_dict().items():
        np.testing.assert_array_equal(tensor, first.run.weights[name], err_msg=name)


def test_one_other_value_is_other_data_and_so_is_another_scale(first, tmp_path):
    """The value is one that nothing is learnt from; the border moves what scales are measured on, of the same file."""
    path = columns(tmp_path / "t.csv")
    with pytest.raises(DataError, match="was trained on other data"):
        started(first, columns(tmp_path / "other.csv", changed=0.5))
    with pytest.raises(DataError, match="was trained on other data"):
        started(first, path, split__borders=[58, 75, 90])


def test_another_target_of_the_same_table_is_other_data(first, tmp_path):
    with pytest.raises(DataError, match="was trained on other data"):
        started(first, columns(tmp_path / "t.csv"), data__targets=["z"])


def press_ctrl_c(monkeypatch, times):
    """Let SIGINT arrive in the second epoch of fine-tuning, in the third of its six batches."""
    real, learnt = loop.step, []

    def step(trainer, *arguments):
        if isinstance(trainer.network, QuantizedNetwork):
            learnt.append(1)
            if len(learnt) == 6 + 3:
                for _ in range(times):
                    signal.raise_signal(signal.SIGINT)
        return real(trainer, *arguments)

    monkeypatch.setattr(loop, "step", step)


@pytest.mark.parametrize("start", ["trained before", "trained here", "stopped early"])
def test_an_interrupted_fine_tuning_goes_on_and_ends_like_an_undisturbed_one(trained, tmp_path, monkeypatch, start):
    settings = {**SMALL, **TUNING}
    if start == "trained before":
        settings["quantization__start"] = str(trained.path)
    if start == "stopped early":
        settings |= {"training__patience": 1, "training__epochs": 30, "training__learning_rate": 0.1}
    undisturbed = train_small(tmp_path / "undisturbed", **settings)
    with monkeypatch.context() as patch:
        press_ctrl_c(patch, times=2)
        with pytest.raises(KeyboardInterrupt):
            train_small(tmp_path / "run", **settings)
    with pytest.raises(RunError, match="--resume"):
        read_run(tmp_path / "run")
    resumed = resume_recipe(tmp_path / "run")
    assert resumed.run.record == undisturbed.run.record
    assert_same_weights(resumed.run, undisturbed.run)
    losses = [(tmp_path / name / "loss.csv").read_text() for name in ("run", "undisturbed")]
    assert losses[0] == losses[1]
    if start == "stopped early":
        assert len(losses[0].splitlines()) < 1 + 30 + 3
    assert not list((tmp_path / "run").glob("*.ckpt"))
    with pytest.raises(TrainingError, match="finished"):
        resume_recipe(tmp_path / "run")


def test_ctrl_c_keeps_the_best_weights_until_then(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        press_ctrl_c(patch, times=1)
        stopped = train_small(tmp_path / "run", **SMALL, **TUNING)
    assert stopped.interrupted
    assert len((tmp_path / "run" / "loss.csv").read_text().splitlines()) == 1 + 4 + 1
    assert not resume_recipe(tmp_path / "run").interrupted


def test_a_fine_tuning_does_not_go_on_from_other_weights(trained, tmp_path, monkeypatch):
    start = tmp_path / "start"
    train_small(start, **SMALL)
    with monkeypatch.context() as patch:
        press_ctrl_c(patch, times=1)
        finetune(start, tmp_path / "run")
    for path in start.iterdir():
        path.unlink()
    train_small(start, **SMALL, training__seed=1)
    with pytest.raises(TrainingError, match="other weights"):
        resume_recipe(tmp_path / "run")


def test_the_file_is_made_in_the_form_it_was_tuned_for(trained, tmp_path):
    finetune(trained.path, tmp_path / "run", epochs=1, per_channel=False, clip="mse", head="fp32")
    form = Quantization(False, "mse", "fp32")
    export = export_run(tmp_path / "run", tmp_path / "files", precisions=["int8", "int8w"])
    assert [file.contract.quantization for file in export.files] == [None, form, Quantization()]
    assert export_run(tmp_path / "run", tmp_path / "again", precisions=["int8"], quantization=form).files
    with pytest.raises(
        ExportError, match="fine-tuned for int8 per tensor, clip mse, head fp32; omit the options that contradict this"
    ):
        export_run(tmp_path / "run", tmp_path / "none", precisions=["int8"], quantization=Quantization())
    assert not (tmp_path / "none").exists()


def test_a_start_must_hold_the_network_that_is_asked_for(trained, tmp_path):
    settings = {**SMALL, "network__hidden_size": 5, "quantization__start": str(trained.path)}
    with pytest.raises(RecipeError, match="has a different network than the recipe"):
        train_small(tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_bad_requests_are_refused_before_anything_is_written(trained, tmp_path):
    for error, words, output, options in (
        (RecipeError, "cannot overwrite the run it starts from", trained.path, {"overwrite": True}),
        (RecipeError, r"quantization\.precision", tmp_path / "run", {"precision": "int4"}),
        (RecipeError, r"quantization\.epoch: .* did you mean 'epochs'", tmp_path / "run", {"epoch": 3}),
    ):
        with pytest.raises(error, match=words):
            finetune(trained.path, output, **options)
    with pytest.raises(RunError, match="run directory not found"):
        finetune(tmp_path / "nowhere", tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert_same_weights(read_run(trained.path), trained)
