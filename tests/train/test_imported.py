"""What was imported as a list of layers is trained on, on a table of the user's: kept, refused, exported, resumed."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from edgelstm.errors import DataError, RecipeError, RunError, TrainingError
from edgelstm.export import export_run
from edgelstm.importers import Imported, as_channels, write_imported
from edgelstm.network import Activation, Embedding, Linear, Lstm, Mask, Network, Take, carried_states
from edgelstm.run import read_run
from edgelstm.train import finetune, fit, resume_recipe
from edgelstm.train.imported import check_trainable
from tests import oracles
from tests.export.drawn import make_contract, make_weights

WINDOW, ROWS = 8, 240
OTHER = ("hard_sigmoid_keras2", "tanh", "softsign")
FORECASTER = Network((Lstm("encoder.lstm", 2, 6), Linear("head", 6, 2), Take("last")))
CARRIED = Network((Lstm("lstm", 2, 6), Linear("head", 6, 1)))
CLASSIFIER = Network(
    (Lstm("lstm", 2, 5, functions=OTHER), Take("last"), Linear("out", 5, 3, bias=False), Activation("softmax"))
)
CLASSES = ("walk", "sit", "lie")  # in an order of its own


def write_run(folder, network, task, inputs, outputs, *, horizon=1, state="window", classes=False, graph=None):
    """Import a network whose weights are drawn."""
    weights = make_weights(network, 0, 2, 1, spread=1, factors=(0.5, 2))
    drawn = make_contract(network, task, outputs=len(outputs), inputs=len(inputs), window=WINDOW, horizon=horizon)
    drawn = replace(drawn, state=state, states=carried_states(network) if state == "carried" else ())
    drawn = replace(drawn, answer="class" if classes or task == "classify" else "number")
    tokens = network.tokens
    if tokens:
        drawn = replace(drawn, inputs=(drawn.inputs[0]._replace(dtype="int64", categories=7),))
    imported = Imported(
        name="elsewhere",
        network=None if graph else network,
        weights={} if graph else weights,
        graph=graph,
        task=task,
        inputs=drawn.inputs if tokens else as_channels(inputs, len(inputs), "x"),
        outputs=as_channels(outputs, len(outputs), "y"),
        window=WINDOW,
        horizon=horizon,
        lengths=False,
        state=state,
        answer=lambda x, lengths: oracles.evaluate(network, weights, x, drawn, lengths).astype(np.float32),
        versions={},
        source={"importer": "test"},
        classes=classes,
    )
    return write_imported(imported, folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("imported")


@pytest.fixture(scope="module")
def table(folder):
    """Two waves, noise, a class at every step, and the moment of each row."""
    rng = np.random.default_rng(0)
    hours = np.datetime64("2024-01-01T00") + np.arange(ROWS)
    a, b = np.sin(np.arange(ROWS) / 3), np.cos(np.arange(ROWS) / 5)
    word = np.array(["lie", "walk"])[(a > 0).astype(int)]
    rows = zip(hours, a + 0.01 * rng.normal(size=ROWS), b, rng.normal(size=ROWS), word, strict=True)
    path = folder / "mine.csv"
    path.write_text("\n".join(["date,a,b,noise,what", *(f"{t},{p:.5f},{q:.5f},{r:.5f},{w}" for t, p, q, r, w in rows)]))
    return path


def asking(table, epochs=2, **data):
    data = {"path": str(table), "time": "date", "features": ["a", "b"], "targets": ["a"], **data}
    return {"data": data, "training": {"epochs": epochs, "threads": 1}}


@pytest.fixture(scope="module")
def imported(folder):
    return write_run(folder / "net", FORECASTER, "forecast", ("p", "q"), ("r",), horizon=2)


@pytest.fixture(scope="module")
def tuned(imported, table):
    return finetune(imported.path, asked=asking(table))


def test_the_new_run_lies_beside_the_old_one_which_stays(imported, tuned):
    assert tuned.run.path == imported.path.with_name("net-tuned")
    again = read_run(imported.path)
    for name, tensor in imported.weights.items():
        np.testing.assert_array_equal(tensor, again.weights[name])


def test_it_has_the_layers_and_the_names_of_the_tensors_and_other_weights(imported, tuned):
    record = tuned.run.record
    assert sorted(record.network.layers, key=str) == sorted(FORECASTER.layers, key=str)
    assert record.network.layers[1] == Take("last")  # in the order of the graph: the head answers once
    assert tuned.run.weights.keys() == imported.weights.keys()
    assert all((tuned.run.weights[name] != tensor).any() for name, tensor in imported.weights.items())
    assert [channel.name for channel in (*record.contract.inputs, *record.contract.outputs)] == ["a", "b", "a"]
    assert (record.contract.window, record.contract.horizon) == (WINDOW, 2)
    assert record.contract.scaling == "none"
    assert record.best_epoch > 0


def test_training_begins_with_the_weights_of_the_run_and_keeps_them_where_nothing_is_better(imported, table, folder):
    asked = asking(table, 1)
    asked["training"] |= {"learning_rate": 100.0, "schedule": "constant", "gradient_clip": 0.0}
    harmed = finetune(imported.path, folder / "harmed", asked=asked)
    assert harmed.run.record.best_epoch == 0
    for name, tensor in imported.weights.items():
        np.testing.assert_array_equal(harmed.run.weights[name], tensor)
    kept = {part.name: part.networks["network"].score for part in harmed.evaluation.parts}
    assert {part: scored.score for part, scored in harmed.before["network"].items()} == kept


def test_the_scores_before_are_given_beside_those_after(tuned):
    (validation, _) = tuned.evaluation.parts
    before, after = tuned.before["network"]["validation"].score, validation.networks["network"].score
    assert before["rmse"] > after["rmse"]


def test_it_is_exported_and_scores_as_it_was_trained(tuned, folder):
    files = export_run(tuned.run.path, folder / "files", precisions=["int8"]).files
    (part,) = (part for part in tuned.evaluation.parts if part.name == "test")
    assert files[0].test["rmse"] == pytest.approx(part.networks["network"].score["rmse"], rel=1e-4)


@pytest.mark.parametrize("precision", ["int8", "int8w"])
def test_what_was_trained_on_is_fine_tuned_for_a_file(tuned, folder, precision):
    fitted = finetune(tuned.run.path, folder / f"for {precision}", precision=precision, epochs=1)
    assert_scores_as_simulated(fitted, folder / f"files of {precision}")


def assert_scores_as_simulated(fitted, folder):
    (part,) = (part for part in fitted.evaluation.parts if part.name == "test")
    file = export_run(fitted.run.path, folder, precisions=[fitted.run.record.tuned_for[0]]).files[1]
    assert file.test == {
        name: pytest.approx(value, rel=1e-3) for name, value in part.networks["quantized"].score.items()
    }


def test_for_a_file_it_learns_from_the_data_that_it_was_trained_on_and_in_float32_from_any(imported, table, folder):
    mine = folder / "changing.csv"
    mine.write_text(table.read_text())
    first = finetune(imported.path, folder / "on mine", asked=asking(mine, 1))
    assert finetune(first.run.path, folder / "same rows", epochs=1).run.record.tuned_for[0] == "int8"
    *lines, _ = mine.read_text().splitlines()
    mine.write_text("\n".join(lines))
    with pytest.raises(DataError, match="was trained on other data; restore it, or give the table with --data"):
        finetune(first.run.path, folder / "other rows", epochs=1)
    assert not (folder / "other rows").exists()
    assert finetune(first.run.path, folder / "on", asked=asking(mine, 1)).run.record.tuned_for is None


def test_an_imported_run_learns_the_arithmetic_of_a_file_at_once(imported, table, folder):
    fitted = finetune(imported.path, asked=asking(table), precision="int8", epochs=1)
    assert fitted.run.path.name == "net-int8"
    assert len(fitted.trained.history) == 1
    assert_scores_as_simulated(fitted, folder / "files at once")


def test_the_original_is_not_needed_to_go_on(table, folder):
    write_run(folder / "gone", FORECASTER, "forecast", ("p", "q"), ("r",), horizon=2)
    first = finetune(folder / "gone", folder / "first", asked=asking(table, 1))
    for path in (folder / "gone").iterdir():
        path.unlink()
    (folder / "gone").rmdir()
    assert finetune(first.run.path, folder / "second", epochs=1).run.record.tuned_for[0] == "int8"


def test_an_interrupted_one_is_resumed_and_ends_like_an_undisturbed_one(imported, table, folder, tuned, monkeypatch):
    module = import_module("edgelstm.train.fit")
    real = module.run_loop

    def killed(network, problem, training, *arguments, **options):
        real(network, problem, training.model_copy(update={"epochs": 1}), *arguments, **options)
        raise KeyboardInterrupt

    asked = asking(table)
    asked["training"]["schedule"] = "constant"  # the other schedules know how many epochs there will be
    whole = finetune(imported.path, folder / "undisturbed", asked=asked)
    with monkeypatch.context() as patch:
        patch.setattr(module, "run_loop", killed)
        with pytest.raises(KeyboardInterrupt):
            finetune(imported.path, folder / "resumed", asked=asked)
    resumed = resume_recipe(folder / "resumed")
    for name, tensor in whole.run.weights.items():
        np.testing.assert_array_equal(resumed.run.weights[name], tensor)


def test_a_carried_network_labels_numbers_of_a_series(table, folder):
    write_run(folder / "labeller", CARRIED, "label", ("p", "q"), ("r",), state="carried")
    fitted = finetune(folder / "labeller", asked=asking(table, targets=["noise"]))
    contract = fitted.run.record.contract
    assert (contract.state, contract.task, contract.window) == ("carried", "label", WINDOW)
    assert export_run(fitted.run.path, folder / "labels").files


def test_classes_keep_the_order_of_the_network(table, folder):
    network = Network((*CARRIED.layers[:1], Linear("head", 6, 3), Activation("softmax")))
    write_run(folder / "classes", network, "label", ("p", "q"), CLASSES, state="carried", classes=True)
    asked = asking(table, 8, targets=["what"])
    asked["training"] |= {"learning_rate": 0.05, "batch_size": 2}
    fitted = finetune(folder / "classes", asked=asked)
    assert tuple(channel.name for channel in fitted.run.record.contract.outputs) == CLASSES
    known = np.concatenate([part.targets for part in (fitted.problem.training, fitted.problem.test)])
    assert set(known.tolist()) == {0, 2}  # walk and lie; nobody sits
    (part,) = (part for part in fitted.evaluation.parts if part.name == "test")
    assert part.networks["network"].score["accuracy"] > 0.8


def test_a_classifier_with_functions_that_torch_has_not_learns_from_arrays_and_for_int8(folder):
    write_run(folder / "classifier", CLASSIFIER, "classify", ("p", "q"), CLASSES)
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(n, 2)).astype(np.float32) for n in rng.integers(4, WINDOW + 1, 60)]
    y = [CLASSES[2 * int(one.mean() > 0)] for one in x]
    parts = {"validation": (x[40:50], y[40:50]), "test": (x[50:], y[50:])}
    options = {"task": "classify", "outputs": CLASSES, "epochs": 2, "threads": 1, "progress": False, **parts}
    fitted = fit(
        x[:40], y[:40], folder / "walks", run=str(folder / "classifier"), quantization={"epochs": 1}, **options
    )
    assert fitted.run.record.network.lstms[0].functions == OTHER
    assert_scores_as_simulated(fitted, folder / "files of walks")


def refusals():
    label = Network((*CARRIED.layers[:1], Linear("head", 6, 1), Activation("sigmoid")))
    masked = Network((Mask(0.0), *CLASSIFIER.layers))
    tokens = Network((Embedding("words", 7, 2), *FORECASTER.layers))
    one_class = {"state": "carried", "classes": True}
    return {
        "labels windows": (CARRIED, "label", ("p", "q"), ("r",), {}),
        r"one output per class \(at least 2\) and a softmax": (label, "label", ("p", "q"), ("r",), one_class),
        "has a mask, which cannot process series of different lengths": (masked, "classify", ("p", "q"), CLASSES, {}),
        "its inputs are tokens, which a table cannot hold": (tokens, "forecast", ("p",), ("r",), {"horizon": 2}),
    }


@pytest.mark.parametrize("words", refusals())
def test_a_network_that_cannot_be_trained_here_is_refused_in_a_line(words, table, tmp_path):
    network, task, inputs, outputs, options = refusals()[words]
    write_run(tmp_path / "net", network, task, inputs, outputs, **options)
    with pytest.raises(TrainingError, match=words):
        finetune(tmp_path / "net", asked=asking(table))
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_a_graph_without_layers_is_refused(imported):
    record = replace(read_run(imported.path).record, network=None)
    with pytest.raises(
        TrainingError, match=r"a graph from torch\.onnx\.export without layers, which cannot be trained"
    ):
        check_trainable(replace(imported, record=record))


def test_bad_requests_are_refused_before_anything_is_written(imported, table, tmp_path):
    asked = asking(table)
    for error, words, sections in (
        (TrainingError, r"is an imported run without data; give a table with --data", None),
        (
            DataError,
            r"one column that changes in training per input, 2 \(p, q\), got 3 ",
            asking(table, features=["a", "b", "noise"]),
        ),
        (
            DataError,
            r"one column that changes in training per output, 1 \(r\), got 2 ",
            asking(table, targets=["a", "b"]),
        ),
        (DataError, r"there is no column 'p'", asking(table, features=[])),
        (RecipeError, r"network\.segment: expected 1 as in .*, got 4; remove it", {**asked, "network": {"segment": 4}}),
        (RecipeError, r"window\.steps: expected 8 as in .*, got 12; remove it", {**asked, "window": {"steps": 12}}),
        (RecipeError, r"training\.epoch: unknown key", {**asked, "training": {"epoch": 1}}),
    ):
        with pytest.raises(error, match=words):
            finetune(imported.path, tmp_path / "run", asked=sections)
    with pytest.raises(RunError, match="run directory not found"):
        finetune(tmp_path / "nowhere", asked=asked)
    with pytest.raises(RecipeError, match="cannot overwrite the run it starts from"):
        finetune(imported.path, imported.path, asked=asked, overwrite=True)
    assert not (tmp_path / "run").exists()


def test_inputs_that_were_imported_without_names_ask_for_columns(table, tmp_path):
    write_run(tmp_path / "net", FORECASTER, "forecast", ("x0", "x1"), ("y0",), horizon=2)
    words = (
        "there is no column 'x0'; the table has date, a, b, noise, what; x0 is the default name of an imported input"
    )
    with pytest.raises(DataError, match=f"{words}: give --feature COLUMN to finetune, or --input COLUMN at import$"):
        finetune(tmp_path / "net", asked=asking(table, features=[]))
    with pytest.raises(
        DataError, match=r"no column 'y0'; .* give --target COLUMN to finetune, or --output-name COLUMN"
    ):
        finetune(tmp_path / "net", asked={"data": {"path": str(table), "time": "date", "features": ["a", "b"]}})
    finetune(tmp_path / "net", asked=asking(table, epochs=1))


def test_classes_that_the_network_does_not_know_are_refused(table, tmp_path):
    network = Network((*CARRIED.layers[:1], Linear("head", 6, 2), Activation("softmax")))
    write_run(tmp_path / "net", network, "label", ("p", "q"), ("y0", "y1"), state="carried", classes=True)
    with pytest.raises(DataError, match=r"predicts y0, y1, but the data has the class 'lie'; name the outputs"):
        finetune(tmp_path / "net", asked=asking(table, targets=["what"]))


def test_values_that_float32_cannot_tell_apart_are_refused(imported, table, tmp_path):
    header, *lines = table.read_text().splitlines()
    far = tmp_path / "far.csv"
    moved = [f"{t},{1e9 + float(a)},{rest}" for t, a, rest in (line.split(",", 2) for line in lines)]
    far.write_text("\n".join([header, *moved]))
    with pytest.raises(DataError, match=r"column 'a': its values are too close together for float32"):
        finetune(imported.path, tmp_path / "run", asked=asking(far))


def test_a_run_that_was_trained_here_keeps_its_table(window_files, table):
    with pytest.raises(TrainingError, match="was trained here, not imported"):
        finetune(window_files.run, asked=asking(table))


def test_projections_are_not_simulated_in_int8(table, folder):
    network = Network((Lstm("lstm", 2, 6, proj_size=3), Take("last"), Linear("head", 3, 1)))
    write_run(folder / "projected", network, "forecast", ("p", "q"), ("r",))
    with pytest.raises(RecipeError, match="projections, which the int8 simulation lacks; use int8w"):
        finetune(folder / "projected", asked=asking(table), precision="int8")
    assert finetune(folder / "projected", asked=asking(table, 1)).run.record.network.lstms[0].proj_size == 3
