import base64
from importlib import metadata
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

from edgelstm.contract import FORMAT_VERSION, Channel, Contract, Provenance
from edgelstm.errors import ModelFileError
from edgelstm.export import export_run
from edgelstm.network import Linear, Lstm, Network
from edgelstm.run import RUN_FORMAT_VERSION, Run, RunRecord, pack_weights, write_run
from edgelstm.runtime import Predictor, load, parse_model_file, replay
from tests.resealed import altered, resealed

GOLDEN = "edgelstm.golden"


@pytest.fixture(scope="module")
def labels_with_lengths(tmp_path_factory):
    """A file that answers at every step of rows of different lengths; a zero network answers zero."""
    folder = tmp_path_factory.mktemp("labels")
    network = Network((Lstm("lstm", 1, 2), Linear("head", 2, 1)))
    weights = {name: np.zeros(shape, np.float32) for name, shape in network.tensors()}
    x, y = (Channel(name, None, "float32", None) for name in "xy")
    provenance = Provenance({}, None, pack_weights(weights)[1], None)
    words = ("none", None, None, None, (), provenance)
    contract = Contract(
        FORMAT_VERSION, "labels", "label", "fp32", (x,), (y,), 4, 1, True, "window", "window", (), *words
    )
    golden_x, lengths = np.ones((2, 4, 1), np.float32), np.array([2, 4])
    golden_y = np.where(np.arange(4) < lengths[:, None], np.float32(0), np.float32(np.nan))[..., np.newaxis]
    record = RunRecord(RUN_FORMAT_VERSION, contract, network, {}, 0)
    write_run(Run(folder / "run", record, weights, golden_x, golden_y, None, lengths), {})
    return export_run(folder / "run", folder).files[0].path


def test_a_replay_on_this_machine_passes(path):
    predictor = load(path)
    result = replay(predictor)
    assert result.passed
    assert result.rows == len(predictor.golden.x)
    assert result.tolerance == predictor.golden.tolerance[result.target]
    assert all(error <= limit for error, limit in zip(result.file_error, result.tolerance, strict=True))


def test_a_replay_tells_how_far_the_network_is(path):
    predictor = load(path)
    worst = 0.0
    for x, expected in zip(predictor.golden.x, predictor.golden.network, strict=True):
        for a, b in zip(predictor.predict(x).ravel().tolist(), expected.ravel().tolist(), strict=True):
            worst = max(worst, abs(a - b))
    assert replay(predictor).network_error == (worst,)
    if predictor.contract.precision == "int8":
        assert worst > replay(predictor).file_error[0]


def test_a_replay_fails_where_the_machine_computes_something_else(path):
    def change(golden):
        y = np.frombuffer(base64.b64decode(golden["file"]["base64"]), "<f4").reshape(golden["file"]["shape"]).copy()
        y[-1, ..., -1, 0] += 2.0
        golden["file"] = _array(y)

    result = replay(Predictor(parse_model_file(altered(path, GOLDEN, change))))
    assert not result.passed
    assert result.file_error[0] == pytest.approx(2.0, abs=0.1)


def test_there_is_no_answer_behind_the_length_of_a_row_and_none_is_asked_for(labels_with_lengths):
    predictor = load(labels_with_lengths)
    padding = np.isnan(predictor.golden.file)
    assert padding.any()
    assert replay(predictor).passed

    def change(golden):
        y = predictor.golden.file.copy()
        y[tuple(np.argwhere(~padding)[0])] = np.nan  # an answer that is owed
        golden["file"] = _array(y)

    assert not replay(Predictor(parse_model_file(altered(labels_with_lengths, GOLDEN, change)))).passed


def test_a_graph_that_answers_in_another_shape_than_it_says_is_refused(window_files):
    model = onnx.load(window_files.fp32)
    last = model.graph.node[-1]
    assert last.output == ["y"]
    last.input[0] = "from_last"  # [B, T, 1] in the place of [B, K, 1]
    with pytest.raises(ModelFileError, match=r"answers of shape \(24, 1\), its golden vectors have \(3, 1\)"):
        replay(Predictor(parse_model_file(resealed(model))))


@pytest.mark.parametrize(
    ("tag", "target"),
    [
        ("manylinux_2_27_x86_64", "pypi"),
        ("macosx_14_0_arm64", "pypi"),
        ("win_amd64", "pypi"),
        ("linux_armv7l", "other"),
    ],
)
def test_a_replay_holds_each_build_to_its_own_tolerance(window_files, monkeypatch, tag, target):
    def change(golden):
        golden["tolerance"] = {"pypi": [123.0], "other": [456.0]}

    predictor = Predictor(parse_model_file(altered(window_files.int8, GOLDEN, change)))
    wheel = SimpleNamespace(read_text=lambda name: f"Wheel-Version: 1.0\nTag: cp311-cp311-{tag}\n")
    monkeypatch.setattr(metadata, "distribution", lambda name: wheel)
    result = replay(predictor)
    assert (result.target, result.tolerance) == (target, {"pypi": (123.0,), "other": (456.0,)}[target])


def _array(values):
    return {
        "shape": list(values.shape),
        "dtype": "float32",
        "base64": base64.b64encode(values.astype("<f4").tobytes()).decode(),
    }
