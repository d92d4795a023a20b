"""Whatever Keras predicts, the exported file predicts, for both kinds of files."""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm import load
from edgelstm.errors import NetworkError
from edgelstm.export import export_run
from edgelstm.importers import from_keras, read_keras

LIMIT = 1e-5

# Name, what has to be said beside the file, and the task that follows.
NETWORKS = {
    "tutorial": ({}, "forecast"),
    "stacked": ({}, "forecast"),
    "functional": ({}, "forecast"),
    "bidirectional": ({}, "forecast"),
    "bidirectional-stacked": ({"window": 6}, "forecast"),
    "bidirectional-sum-and-average": ({}, "forecast"),
    "encoder-decoder": ({}, "forecast"),
    "autoencoder": ({}, "forecast"),
    "masking": ({}, "forecast"),
    "masking-bidirectional": ({"window": 6}, "forecast"),
    "masking-at-every-step": ({}, "label"),
    "masking-backwards": ({}, "forecast"),
    "backwards": ({}, "forecast"),
    "label": ({}, "label"),
    "text": ({"window": 6}, "classify"),
    "text-masked": ({}, "classify"),
    "text-masked-backwards": ({}, "forecast"),
    "normalization": ({}, "forecast"),
    "normalization-given": ({}, "forecast"),
    "batch-normalization": ({}, "forecast"),
    "no-bias": ({}, "forecast"),
    "hard-sigmoid": ({}, "forecast"),
    "activations": ({}, "forecast"),
    "stateful": ({}, "forecast"),
}


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_exported_file_predicts_what_keras_predicts(name, suffix, keras_files, tmp_path, no_child):
    options, task = NETWORKS[name]
    run = from_keras(keras_files / f"{name}.{suffix}", tmp_path / "run", name="net", **options)
    export_run(run.path, precisions=["int8"])
    expected = np.load(keras_files / f"{name}.npz")
    predictor = load(run.path / "net.fp32.onnx")
    y = predictor.predict(expected["x"])
    y = y[:, -1] if predictor.contract.state == "carried" else y
    assert predictor.contract.task == task
    assert np.abs(y.reshape(expected["y"].shape) - expected["y"]).max() <= LIMIT * max(1, np.abs(expected["y"]).max())
    assert load(run.path / "net.int8.onnx").predict(expected["x"]).shape == predictor.predict(expected["x"]).shape


def test_a_stateful_network_carries_its_state_on_as_keras_does(keras_files, tmp_path):
    run = from_keras(keras_files / "stateful.keras", tmp_path)
    assert run.record.contract.state == run.record.contract.trained_state == "carried"
    assert len(run.record.contract.states) == 4


REFUSED = {
    "lambda": r"'lambda' \(Lambda\): contains Python code, which is never run",
    "gru": r"'gru' \(GRU\): this class is not supported",
    "conv1d": r"'conv1d' \(Conv1D\)",
    "branches": r"'concatenate' \(Concatenate\): expected one input",
    "attention": r"'attention' \(Attention\): expected one input",
    "shared": "expected one layer that is called once",
    "state": r"\(LSTM\): return_state=True",
    "state-alone": r"\(Dense\): takes a second output of 'lstm_?\d*', such as a state",
    "two-outputs": "output_layers: expected one",
    "two-inputs": "input_layers: expected one",
    "nested": r"\(Sequential\): this class is not supported",
    "no-lstm": "at least one LSTM",
    "flatten": r"\(Flatten\): flattening a sequence is not supported",
    "swish": r"\(Dense\): unknown activation 'silu'",
    "slope": r"\(LeakyReLU\): expected a slope of 0.01, 0.2, 0.3, got 0.5",
    "gelu-inside": r"\(LSTM\): 'gelu' inside an LSTM",
    "float16": r"\(Dense\): computes in 'mixed_float16', expected float32",
    "float64": r"\(Dense\): computes in 'float64', expected float32",
    "product": r"\(Bidirectional\): merge_mode 'mul'",
    "zeros-at-every-step": "its last LSTM gives zeros at masked steps",
    "mask-then-backwards": r"\(LSTM\): go_backwards with a mask",
    "mask-of-another": r"\(LSTM\): is called with a mask that does not come from",
    "mask-of-what-was-computed": r"\(Masking\): expected before all layers that compute",
    "mask-of-tokens-that-none-makes": r"\(LSTM\): is called with a mask that does not come from",
    "dropout-that-stays-on": r"\(Dropout\): is called with training=True",
    "stateful-bidirectional": "a stateful model with Bidirectional",
    "image": "expected an input",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_the_same_is_refused_by_name(name, keras_files, no_child):
    with pytest.raises(NetworkError, match=REFUSED[name]):
        read_keras(keras_files / f"refused-{name}.keras")


def test_both_files_of_a_model_become_the_same_weights(keras_files):
    one, other = (read_keras(keras_files / f"autoencoder.{suffix}") for suffix in ("keras", "h5"))
    assert one.network == other.network
    assert all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_the_run_says_what_each_layer_became(keras_files, tmp_path):
    run = from_keras(keras_files / "tutorial.keras", tmp_path)
    assert [row["became"] for row in run.record.recipe["layers"]] == [
        "LSTM 1 -> 50, sigmoid/relu + last step",
        "linear 50 -> 1",
    ]
    assert run.record.contract.provenance.versions["keras"].startswith("3.")
