"""Files of format 1 that were written once and are never written again: what a reader of format 1 must read for ever.

They were written in November 2026 by edgelstm 0.1.0, the first with format 1, with torch 2.13.0, onnx 1.23.2 and
onnxruntime 1.32.0, on x86-64. `window.fp32` and `carried.int8` are trainings of two epochs on the CO2 data that ships
(hidden 4, windows of 12; relative scaling; two layers) through `export_run`. `lengths.int8w` is a bidirectional LSTM of
drawn weights through `build_graph`, `convert_graph` and `pack`. If a test fails here, the reader is wrong.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnx
import pytest

from edgelstm.runtime import load, read_model_file, replay
from tests.conftest import ROOT
from tests.resealed import entry

FROZEN = ROOT / "tests" / "runtime" / "frozen"
SHA256 = {
    "format1.window.fp32.onnx": "7ded83dabe1e39b471116eced7f98651b0d92821aa4ea3888171411fb65ae482",
    "format1.carried.int8.onnx": "be72dca83f745c3f84580ee20929ddfff9c33e8ffb0fdd40ad27f9cd655405fb",
    "format1.lengths.int8w.onnx": "cf0aba1f3b60c34d1d3bfb4a25c44cac41834589a204d3e4b52cd345233734af",
}
CHANNEL_KEYS = {"name", "unit", "dtype", "statistics", "categories"}


@pytest.fixture(params=SHA256)
def path(request):
    return FROZEN / request.param


def test_nobody_wrote_them_again(path):
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256[path.name]
    assert {file.name for file in FROZEN.iterdir()} == SHA256.keys()


def test_the_contract_says_what_it_said(path):
    contract = read_model_file(path).contract
    said, reads = json.loads(entry(onnx.load(path), "edgelstm.contract").value), json.loads(contract.to_json())
    assert (contract.format_version, contract.answer, contract.times) == (1, "number", False)
    for kind in ("inputs", "outputs"):
        told = said.pop(kind)
        assert all(channel.keys() == CHANNEL_KEYS for channel in told)
        assert told == [{key: channel[key] for key in CHANNEL_KEYS} for channel in reads[kind]]
    assert {**reads, "format_version": 1, **said} == {**reads, "format_version": 1}


def test_the_golden_vectors_say_what_they_said(path):
    said, reads = entry(onnx.load(path), "edgelstm.golden").value, read_model_file(path).golden.to_json()
    assert {**json.loads(said), "times": None} == json.loads(reads)


def test_it_computes_what_it_computed(path):
    assert replay(load(path)).passed


def test_the_window_file_is_what_it_was():
    contract = load(FROZEN / "format1.window.fp32.onnx").contract
    assert (contract.name, contract.task, contract.precision, contract.scaling) == (
        "small",
        "forecast",
        "fp32",
        "relative",
    )
    assert (contract.window, contract.horizon, contract.lengths, contract.states) == (12, 3, False, ())
    (channel,) = contract.inputs
    assert (channel.name, channel.unit, channel.dtype, channel.categories) == ("co2", "ppm", "float32", None)
    assert channel.statistics.min == pytest.approx(313.0)
    assert len(channel.statistics.quantiles) == 11
    assert [part.part for part in contract.metrics] == ["validation", "test"]
    assert contract.metrics[1].file is not None
    assert contract.provenance.versions["onnxruntime"] == "1.32.0"
    assert contract.quantization is None
    assert contract.fidelity.stream_difference == (0.0,)


def test_the_carried_file_steps_on():
    predictor = load(FROZEN / "format1.carried.int8.onnx")
    contract = predictor.contract
    assert (contract.state, contract.trained_state, contract.precision) == ("carried", "carried", "int8")
    assert [(state.input, state.output, state.shape) for state in contract.states] == [
        (f"{name}{layer}", f"{name}{layer}_out", (1, "B", 4)) for layer in (0, 1) for name in "hc"
    ]
    assert (contract.quantization.per_channel, contract.quantization.clip, contract.quantization.head) == (
        True,
        "none",
        "int8",
    )
    stream = predictor.stream()
    steps = np.stack([stream.step(sample) for sample in predictor.golden.x[0]])
    # An int8 kernel ranges the activations of all steps at once: a stream is near its window, not equal to it.
    np.testing.assert_allclose(steps, predictor.golden.file[0], atol=0.5)


def test_the_file_with_lengths_takes_lengths():
    predictor = load(FROZEN / "format1.lengths.int8w.onnx")
    assert (predictor.contract.lengths, predictor.contract.precision) == (True, "int8w")
    assert predictor.golden.lengths.tolist() == [6, 4]
    x = predictor.golden.x[1].copy()
    x[4:] = np.nan  # behind the length: changes nothing
    np.testing.assert_allclose(predictor.predict(x, 4), predictor.golden.file[1], atol=1e-5)
