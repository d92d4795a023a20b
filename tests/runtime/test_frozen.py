"""Files that were written once and are never written again: what a reader of their format must read for ever.

Those of format 1 were written in November 2026 by edgelstm 0.1.0, the first with format 1, with torch 2.13.0, onnx
1.23.2 and onnxruntime 1.32.0, on x86-64. `window.fp32` and `carried.int8` are trainings of two epochs on the CO2 data
that ships (hidden 4, windows of 12; relative scaling; two layers) through `export_run`. `lengths.int8w` is a
bidirectional LSTM of drawn weights through `build_graph`, `convert_graph` and `pack`. So are those of format 2, by the
same versions: `times.fp32` forecasts with the hour and the weekday of each sample and a column known ahead,
`classify.int8w` takes lengths and answers with three classes, `quantile.fp32` forecasts three levels of one target.
That of format 3, by the same versions, is of drawn weights (`tests.cli.trained`): it says how a table of business days
was read, and has a column of words and an origin. If a test fails here, the reader is wrong.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnx
import pytest

from edgelstm.data.asked import read_for
from edgelstm.errors import InputError
from edgelstm.reading import Dialect, Rhythm, TimeForm
from edgelstm.runtime import load, read_model_file, replay
from tests.conftest import ROOT
from tests.resealed import entry

FROZEN = ROOT / "tests" / "runtime" / "frozen"
SHA256 = {
    "format1.window.fp32.onnx": "7ded83dabe1e39b471116eced7f98651b0d92821aa4ea3888171411fb65ae482",
    "format1.carried.int8.onnx": "be72dca83f745c3f84580ee20929ddfff9c33e8ffb0fdd40ad27f9cd655405fb",
    "format1.lengths.int8w.onnx": "cf0aba1f3b60c34d1d3bfb4a25c44cac41834589a204d3e4b52cd345233734af",
    "format2.classify.int8w.onnx": "065f8e507a7278a6a28609095b813a9b7332291ca3606c15704ffa108bd5fe6c",
    "format2.quantile.fp32.onnx": "86bf745ff704692a26acbe110e6059ccbae78e1794c2869400960dfb65b07e64",
    "format2.times.fp32.onnx": "8252feca22e59d6a2461ef5826fe62b616bec6587577b20cfd52e98662b9d7a4",
    "format3.reading.fp32.onnx": "f4bfa973b8160e9fbaa6a855271cf0b5ecf959356b3414f0967c47f615d902f4",
}
FORMAT_1 = [name for name in SHA256 if name.startswith("format1")]
LATER_OF_CHANNELS = {"ahead": 0, "quantile": None, "column": None, "cap": None, "category": None, "origin": 0.0}
CHANNEL_KEYS = {1: {"name", "unit", "dtype", "statistics", "categories"}}
CHANNEL_KEYS[2] = CHANNEL_KEYS[1] | {"ahead", "quantile", "column", "cap"}
CHANNEL_KEYS[3] = CHANNEL_KEYS[2] | {"category", "origin"}


@pytest.fixture(params=SHA256)
def path(request):
    return FROZEN / request.param


def test_nobody_wrote_them_again(path):
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256[path.name]
    assert {file.name for file in FROZEN.iterdir()} == SHA256.keys()


def test_a_contract_says_what_it_said(path):
    """Of a later format it says what was meant before: nothing of a reading, no category, no origin."""
    contract = read_model_file(path).contract
    said, reads = json.loads(entry(onnx.load(path), "edgelstm.contract").value), json.loads(contract.to_json())
    assert contract.format_version == said["format_version"]
    for kind in ("inputs", "outputs"):
        told, read = said.pop(kind), reads.pop(kind)
        assert all(channel.keys() == CHANNEL_KEYS[contract.format_version] for channel in told)
        assert [{**LATER_OF_CHANNELS, **channel} for channel in told] == read
    if said["quantization"]:
        assert "highway" not in said["quantization"]
        said["quantization"]["highway"] = "fp32"
    assert {**reads, **said} == {**reads, "format_version": contract.format_version}
    meant = {"answer": "number", "times": False, "reading": None, "many_series": False}
    assert {key: reads[key] for key in reads.keys() - said.keys()} == {
        key: meant[key] for key in meant.keys() - said.keys()
    }


def test_the_golden_vectors_say_what_they_said(path):
    said, reads = json.loads(entry(onnx.load(path), "edgelstm.golden").value), read_model_file(path).golden.to_json()
    assert ("times" in said) == (path.name not in FORMAT_1)
    assert {"times": None, **said} == json.loads(reads)


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


def test_the_file_with_times_takes_times_and_knows_what_is_known_ahead():
    predictor = load(FROZEN / "format2.times.fp32.onnx")
    contract, golden = predictor.contract, predictor.golden
    assert (contract.format_version, contract.times, contract.answer, contract.metric) == (2, True, "number", "rmse")
    assert [(channel.name, channel.ahead) for channel in contract.inputs] == [("load", 0), ("holiday", 2)]
    assert golden.times[0].tolist() == [1_700_438_400 + 3600 * (7 + i) for i in range(4)]
    np.testing.assert_allclose(predictor.predict(golden.x, time_s=golden.times), golden.file, atol=1e-4)
    stream = predictor.stream()
    answers = [stream.step(*sample) for sample in zip(golden.x[1], golden.times[1].tolist(), strict=True)]
    np.testing.assert_allclose(answers[-1], golden.file[1], atol=1e-4)
    another_day = predictor.predict(golden.x, time_s=golden.times + 3 * 86_400)
    assert np.abs(another_day - golden.file).max() > 0.01
    with pytest.raises(InputError, match="this file needs the time of each sample"):
        predictor.predict(golden.x)


def test_the_file_that_classifies_names_classes():
    predictor = load(FROZEN / "format2.classify.int8w.onnx")
    contract, golden = predictor.contract, predictor.golden
    assert (contract.answer, contract.lengths, contract.metric) == ("class", True, "accuracy")
    assert [(channel.name, channel.source) for channel in contract.outputs] == [(name, "class") for name in "aei"]
    assert golden.lengths.tolist() == [5, 3]
    y = predictor.predict(golden.x, golden.lengths)
    np.testing.assert_allclose(y, golden.file, atol=1e-5)
    np.testing.assert_allclose(y.sum(axis=1), 1, atol=1e-6)
    assert predictor.label(y).tolist() == ["e", "e"]
    assert contract.metrics[0].baselines["majority"] == {"accuracy": 0.4, "macro_f1": 0.19}


def test_the_file_of_quantiles_forecasts_levels_of_one_column():
    predictor = load(FROZEN / "format2.quantile.fp32.onnx")
    contract, golden = predictor.contract, predictor.golden
    said = [(channel.name, channel.source, channel.quantile) for channel in contract.outputs]
    assert said == [(f"OT q{level}", "OT", level) for level in (0.1, 0.5, 0.9)]
    assert [channel.name for channel in contract.targets] == ["OT q0.1"]
    assert (contract.answer, contract.metric) == ("quantile", "pinball")
    np.testing.assert_allclose(predictor.predict(golden.x), golden.file, atol=1e-4)


def test_the_file_with_a_reading_reads_a_table_and_keeps_its_origin(tmp_path):
    predictor = load(FROZEN / "format3.reading.fp32.onnx")
    contract, golden = predictor.contract, predictor.golden
    reading = contract.reading
    assert (contract.format_version, contract.sample_period_s) == (3, 7 / 5 * 86_400)
    assert reading.dialect == Dialect(";", ",")
    assert reading.time == TimeForm(("Date", "Time"), "%d.%m.%Y %H:%M", "Europe/Berlin")
    assert (reading.rhythm, reading.missing, reading.max_gap) == (Rhythm("business day", 1), ("-200",), 2)
    assert [(c.name, c.source, c.category, c.origin) for c in contract.inputs] == [
        ("level", "level", None, 1000.0),
        ("wind=NW", "wind", "NW", 0.0),
        ("wind=SE", "wind", "SE", 0.0),
    ]
    x = golden.x.astype(np.float64)
    x[..., 0] += 1000
    np.testing.assert_allclose(predictor.predict(x), golden.file.astype(np.float64) + 1000, atol=1e-5)
    table = tmp_path / "tomorrow.csv"
    table.write_text("Date;Time;level;wind\n05.07.2024;09:00;1000,25;SE\n08.07.2024;09:00;-200;NW\n")
    (series,) = read_for(contract, table, {}).series
    np.testing.assert_array_equal(series.values, [[1000.25, 0, 1], [np.nan, 1, 0]])
    assert [str(time)[:16] for time in series.time] == ["2024-07-05T07:00", "2024-07-08T07:00"]
