"""The layouts of Keras 2: files that TensorFlow 2.15 saved, beside what it predicted, and files written by hand.

`keras-2.15/` was made by `networks` of `keras_oracle.py` under TensorFlow 2.15.1, which takes half a gigabyte and
numpy below 2; the tests do not need it. The others are held against a float64 LSTM in Keras' own order of gates.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgelstm.errors import InputError, NetworkError
from edgelstm.importers import from_keras, read_keras
from tests.importers.keras_by_hand import (
    CHANNELS,
    STEPS,
    UNITS,
    arrays,
    dense,
    input_layer,
    lstm,
    lstm_in_keras_layout,
    sequential,
    usual_groups,
    write_hdf5,
    write_keras,
)

pytestmark = pytest.mark.usefixtures("no_child")

X = np.random.default_rng(3).normal(size=(3, STEPS, CHANNELS)).astype(np.float32) * 2


def hard_sigmoid_2(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def hard_sigmoid_3(x):
    return np.clip(x / 6 + 0.5, 0, 1)


def expected(values, **functions):
    kernel, recurrent, bias, dense_kernel, dense_bias = values
    return lstm_in_keras_layout(X, kernel, recurrent, bias, **functions) @ dense_kernel + dense_bias


def answer(path):
    return read_keras(path).answer(X, None)[:, 0]


@pytest.mark.parametrize(
    "name", ["hard-sigmoid.h5", "hard-sigmoid.keras", "masking-bidirectional.h5", "masking-bidirectional.keras"]
)
def test_what_tensorflow_2_15_saved_answers_as_it_did(name):
    path = Path(__file__).with_name("keras-2.15") / name
    said = np.load(path.with_suffix(".npz"))
    imported = read_keras(path, window=6)
    assert imported.versions == {"keras": "2.15.0"}
    assert np.abs(imported.answer(said["x"], None)[:, 0] - said["y"]).max() < 1e-6


def test_keras_2_15(tmp_path):
    config = sequential(input_layer(key="batch_input_shape"), lstm(), dense())
    assert np.allclose(answer(write_hdf5(tmp_path / "a.h5", config)), expected(arrays()), atol=1e-12)


def test_keras_2_2_with_its_list_of_layers_short_names_and_hard_sigmoid(tmp_path):
    first = lstm("lstm_1", recurrent_activation="hard_sigmoid", batch_input_shape=[None, STEPS, CHANNELS])
    config = {"class_name": "Sequential", "config": [first, dense("dense_1")]}
    kernel, recurrent, bias, dense_kernel, dense_bias = arrays()
    weights = {
        "lstm_1": {
            "lstm_1/kernel:0": kernel,
            "lstm_1/recurrent_kernel:0": recurrent,
            "lstm_1/bias:0": bias,
        },
        "dense_1": {"dense_1/kernel:0": dense_kernel, "dense_1/bias:0": dense_bias},
    }
    y = answer(write_hdf5(tmp_path / "a.h5", config, weights, version="2.2.4-tf"))
    assert np.allclose(y, expected(arrays(), gate=hard_sigmoid_2), atol=1e-12)


def test_hard_sigmoid_is_that_of_the_version_that_wrote_the_file(tmp_path):
    config = sequential(input_layer(), lstm(recurrent_activation="hard_sigmoid"), dense())
    two = write_keras(tmp_path / "2.keras", config, version="2.15.0")
    three = write_keras(tmp_path / "3.keras", config, version="3.0.5")
    assert np.allclose(answer(two), expected(arrays(), gate=hard_sigmoid_2), atol=1e-12)
    assert np.allclose(answer(three), expected(arrays(), gate=hard_sigmoid_3), atol=1e-12)
    assert np.abs(answer(two) - answer(three)).max() > 1e-3


def test_the_zip_of_keras_2_13(tmp_path):
    groups = {path.replace("layers", "_layer_checkpoint_dependencies"): value for path, value in usual_groups().items()}
    serialized = {
        "module": "builtins",
        "class_name": "function",
        "config": "relu",
        "registered_name": "function",
    }
    config = sequential(input_layer(key="batch_input_shape"), lstm(activation=serialized, time_major=False), dense())
    y = answer(write_keras(tmp_path / "a.keras", config, groups, version="2.13.1"))
    assert np.allclose(y, expected(arrays(), cell=lambda x: np.maximum(x, 0)), atol=1e-12)


def test_a_functional_model_of_keras_2(tmp_path):
    def called(layer, source):
        name = layer["config"]["name"]
        return {**layer, "name": name, "inbound_nodes": [[[source, 0, 0, {}]]] if source else []}

    config = {
        "class_name": "Model",
        "config": {
            "name": "model",
            "layers": [called(dense(), "lstm"), called(input_layer(), ""), called(lstm(), "input_1")],
            "input_layers": [["input_1", 0, 0]],
            "output_layers": [["dense", 0, 0]],
        },
    }
    assert np.allclose(answer(write_hdf5(tmp_path / "a.h5", config)), expected(arrays()), atol=1e-12)


@pytest.mark.parametrize("frozen", [False, True], ids=["in-order", "forward-frozen"])
def test_bidirectional_of_keras_2_without_a_backward_layer(frozen, tmp_path):
    """Keras lists what can be trained first, so a frozen forward layer comes behind the backward one."""
    wrapper = {"class_name": "Bidirectional", "config": {"name": "both", "merge_mode": "concat", "layer": lstm()}}
    forward, backward = arrays(1)[:3], arrays(2)[:3]
    names = ("kernel:0", "recurrent_kernel:0", "bias:0")
    parts = {
        side: {f"both/{side}_lstm/lstm_cell/{name}": value for name, value in zip(names, values, strict=True)}
        for side, values in (("forward", forward), ("backward", backward))
    }
    order = ("backward", "forward") if frozen else ("forward", "backward")
    weights = {"both": {**parts[order[0]], **parts[order[1]]}}
    imported = read_keras(write_hdf5(tmp_path / "a.h5", sequential(input_layer(), wrapper), weights))
    both = [lstm_in_keras_layout(X, *forward), lstm_in_keras_layout(X[:, ::-1], *backward)]
    assert np.allclose(imported.answer(X, None)[:, 0], np.concatenate(both, axis=1), atol=1e-12)


def test_long_lists_of_names_are_cut_into_several_attributes(tmp_path):
    import h5py

    path = write_hdf5(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        group = file["model_weights/lstm"]
        names = list(group.attrs["weight_names"])
        del group.attrs["weight_names"]
        group.attrs["weight_names0"], group.attrs["weight_names1"] = names[:2], names[2:]
    assert np.allclose(answer(path), expected(arrays()), atol=1e-12)


def test_groups_of_a_class_are_taken_in_the_order_of_their_numbers(tmp_path):
    """`lstm_10` stands behind `lstm_9`."""
    layers = [lstm(f"l{i}", return_sequences=i < 11) for i in range(12)]
    values = [arrays(i, inputs=UNITS if i else CHANNELS)[:3] for i in range(12)]
    places = ["lstm", *(f"lstm_{i}" for i in range(1, 12))]
    groups = {f"layers/{places[i]}/cell/vars/{k}": values[i][k] for i in range(12) for k in range(3)}
    imported = read_keras(write_keras(tmp_path / "a.keras", sequential(input_layer(), *layers), groups))
    assert all(np.array_equal(imported.weights[f"lstm{i}.bias_ih_l0"], values[i][2]) for i in range(12))


def test_the_window_is_asked_for_only_where_the_file_leaves_it_open(tmp_path):
    open_ = write_keras(tmp_path / "a.keras", sequential(input_layer((None, None, CHANNELS)), lstm(), dense()))
    fixed = write_keras(tmp_path / "b.keras")
    assert read_keras(open_, window=9).window == 9
    assert read_keras(fixed).window == read_keras(fixed, window=STEPS).window == STEPS
    with pytest.raises(InputError, match=r"--window N"):
        read_keras(open_)
    with pytest.raises(InputError, match="expected 5, as the file says, got 6"):
        read_keras(fixed, window=6)


def six_units(tmp_path, **changes):
    groups = usual_groups(arrays(outputs=6))
    return write_keras(tmp_path / "a.keras", sequential(input_layer(), lstm(), dense(units=6, **changes)), groups)


@pytest.mark.parametrize(
    ("options", "horizon", "outputs"),
    [
        ({}, 1, 6),
        ({"horizon": 6}, 6, 1),
        ({"horizon": 2}, 2, 3),
        ({"outputs": ["a", "b"]}, 3, 2),
        ({"outputs": ["a"]}, 6, 1),
    ],
)
def test_names_or_horizon_say_what_is_a_step_and_what_an_output(options, horizon, outputs, tmp_path):
    imported = read_keras(six_units(tmp_path), **options)
    assert (imported.horizon, len(imported.outputs)) == (horizon, outputs)
    assert imported.answer(X, None).shape == (3, horizon, outputs)


@pytest.mark.parametrize(
    "options",
    [
        {"horizon": 4},
        {"horizon": 0},
        {"horizon": 2, "outputs": ["a"]},
        {"outputs": ["a", "b", "c", "d"]},
        {"task": "label"},
        {"task": "sing"},
        {"task": "classify"},
        {"inputs": ["a"]},
        {"inputs": ["a", "a"]},
        {"window": 0},
    ],
    ids=str,
)
def test_what_does_not_fit_the_network_is_refused(options, tmp_path):
    with pytest.raises(InputError, match=r"expected|answers|can forecast"):
        read_keras(six_units(tmp_path), **options)


def test_one_sigmoid_unit_classifies_and_may_forecast(tmp_path):
    path = write_keras(tmp_path / "a.keras", sequential(input_layer(), lstm(), dense(activation="sigmoid")))
    assert read_keras(path).task == "classify"
    assert np.array_equal(read_keras(path).answer(X, None), read_keras(path, task="forecast").answer(X, None)[:, 0])


def test_several_classes_have_one_step(tmp_path):
    path = six_units(tmp_path, activation="softmax")
    assert read_keras(path).answer(X, None).shape == (3, 6)
    with pytest.raises(InputError, match="this network answers 1 step"):
        read_keras(path, horizon=2)
    assert read_keras(path, task="forecast", horizon=2).answer(X, None).shape == (3, 2, 3)


def test_a_row_of_the_embedding_that_looks_like_the_mask_is_not_skipped(tmp_path):
    """Token 0 is skipped by its row; token 2, whose row is all zeros, and 3, all halves, are not."""
    table = np.random.default_rng(0).normal(size=(5, CHANNELS)).astype(np.float32)
    table[2], table[3] = 0, np.abs(table).max() / 6
    embedding = {
        "class_name": "Embedding",
        "config": {"name": "e", "input_dim": 5, "output_dim": CHANNELS, "mask_zero": True},
    }
    groups = {**usual_groups(), "layers/embedding/vars/0": table}
    config = sequential(input_layer((None, STEPS)), embedding, lstm(), dense())
    imported = read_keras(write_keras(tmp_path / "a.keras", config, groups))
    tokens = np.array([[1, 2, 3, 4, 2], [0, 1, 0, 2, 3]])
    kernel, recurrent, bias, dense_kernel, dense_bias = arrays()
    kept = [[1, 2, 3, 4, 2], [1, 2, 3]]
    states = [lstm_in_keras_layout(table[[row]], kernel, recurrent, bias)[0] for row in kept]
    assert imported.inputs[0].categories == 5
    assert np.allclose(imported.answer(tokens, None)[:, 0], states @ dense_kernel + dense_bias, atol=1e-12)


def test_a_layer_of_somebody_elses_with_a_known_name_is_refused(tmp_path):
    mine = {**lstm(), "module": "my_layers", "registered_name": "Custom>LSTM"}
    with pytest.raises(NetworkError, match=r"'lstm' \(LSTM\): a custom class"):
        read_keras(write_keras(tmp_path / "a.keras", sequential(input_layer(), mine, dense())))


def test_a_mixture_of_stateful_and_not_is_refused(tmp_path):
    config = sequential(input_layer(), lstm("a", stateful=True, return_sequences=True), lstm("b"))
    values = [arrays(0)[:3], arrays(1, inputs=UNITS)[:3]]
    groups = {f"layers/lstm{'_1' * i}/cell/vars/{k}": v for i in (0, 1) for k, v in enumerate(values[i])}
    with pytest.raises(NetworkError, match="all LSTMs stateful or none"):
        read_keras(write_keras(tmp_path / "a.keras", config, groups))


def test_the_usual_model_is_read_from_both(tmp_path):
    assert np.array_equal(answer(write_keras(tmp_path / "a.keras")), answer(write_hdf5(tmp_path / "a.h5")))


def test_golden_windows_lie_where_the_networks_own_scaling_expects_them(tmp_path):
    scaling = {"class_name": "Normalization", "config": {"name": "n", "axis": [-1], "mean": [400, -3], "variance": 4}}
    path = write_keras(tmp_path / "a.keras", sequential(input_layer(), scaling, lstm(), dense()))
    x = from_keras(path, tmp_path / "run").golden_x
    assert np.abs(x.mean(axis=(0, 1)) - [400, -3]).max() < 2
    assert np.abs(x.std(axis=(0, 1)) - 2).max() < 1


def test_one_golden_window_is_masked_in_part(tmp_path):
    masking = {"class_name": "Masking", "config": {"name": "m", "mask_value": -9.0}}
    path = write_keras(tmp_path / "a.keras", sequential(input_layer(), masking, lstm(), dense()))
    x = from_keras(path, tmp_path / "run").golden_x
    assert (x[-1, 2:] == -9).all()
    assert not (x[:-1] == -9).any()
