"""Weights files: loaded into a module, strictly, or read as a network where their names tell all of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from edgelstm.errors import InputError, NetworkError
from edgelstm.export import from_torch
from edgelstm.importers import Names
from edgelstm.importers.weights.file import read_weights
from tests.importers.torch_modules import (
    WINDOW,
    Network,
    answer,
    assert_same,
    carried_module,
    draw,
    exported_run,
    forecaster,
    import_weights,
    lstm,
)
from tests.runtime.test_imports import modules_after

DATA = os.environ.get("EDGELSTM_DATA")


def written(module, path, state=None):
    """Write the weights of a module in the form that the name of the file says."""
    state = module.state_dict() if state is None else state
    if path.suffix == ".safetensors":
        save_file(state, path)
    elif path.suffix == ".json":
        path.write_text(json.dumps({name: tensor.tolist() for name, tensor in state.items()}))
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("file", ["w.safetensors", "w.pt", "w.json"])
def test_weights_are_loaded_into_the_module(file, tmp_path):
    trained, fresh = forecaster(), forecaster(hidden=5)
    nn.init.normal_(trained.head.weight)
    before = fresh.head.weight.detach().clone()
    path = written(trained, tmp_path / file)
    found = from_torch(fresh, tmp_path / "run", window=WINDOW, weights=path)
    assert_same(exported_run(tmp_path), trained)
    assert torch.equal(fresh.head.weight, before)
    assert found.notes[0] == f"weights from {file}"


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": {f"model.{name}": t for name, t in state.items()}, "epoch": 3},
        lambda state: {f"module.{name}": t for name, t in state.items()},
        lambda state: {"model": {f"module._orig_mod.{name}": t.half() for name, t in state.items()}},
    ],
    ids=["lightning", "data-parallel", "compiled-and-half"],
)
def test_the_wrappers_of_checkpoints_are_taken_off_and_said(wrap, tmp_path):
    module = forecaster()
    torch.save(wrap(module.state_dict()), tmp_path / "checkpoint.ckpt")
    found = from_torch(module, tmp_path / "run", window=WINDOW, weights=tmp_path / "checkpoint.ckpt")
    assert any("removed the prefix" in note for note in found.notes)
    np.testing.assert_allclose(found.run.weights["head.weight"], module.head.weight.detach().numpy(), atol=1e-3)


@pytest.mark.parametrize("file", ["w.safetensors", "w.pt", "w.json"])
def test_names_alone_tell_lstms_in_order_and_a_linear_layer_behind(file, tmp_path):
    module = carried_module()
    import_weights(written(module, tmp_path / file), tmp_path / "run", window=20, state="carried")
    predictor = exported_run(tmp_path)
    x = draw(1, 100, 1)
    stream = predictor.stream()
    stepped = np.stack([stream.step(sample) for sample in x[0]])
    np.testing.assert_array_equal(stepped, predictor.predict(x[0]))
    np.testing.assert_allclose(stepped[:, 0], answer(module, x)[0], atol=1e-6)


@pytest.mark.skipif(DATA is None, reason="EDGELSTM_DATA is not set: the reference weights of RTNeural are not here")
def test_the_weights_of_rtneural_reproduce_their_reference_output(tmp_path):
    folder = Path(DATA) / "rtneural"
    import_weights(folder / "lstm_torch.json", tmp_path / "run", window=1000, state="carried")
    predictor = exported_run(tmp_path)
    x, y = (np.loadtxt(folder / f"lstm_torch_{part}_python.csv") for part in "xy")
    stream = predictor.stream()
    stepped = np.array([stream.step([sample])[0, 0] for sample in x])
    assert len(x) == 1000
    assert np.abs(stepped - y).max() < 1e-6
    assert np.abs(predictor.predict(x[:, np.newaxis])[:, 0, 0] - y).max() < 1e-6


@pytest.mark.skipif(DATA is None, reason="EDGELSTM_DATA is not set: the bad file of RTNeural is not here")
def test_the_bad_file_of_rtneural_is_refused_with_a_reason(tmp_path):
    with pytest.raises(NetworkError, match="'in_shape' is not a list of numbers"):
        import_weights(Path(DATA) / "rtneural" / "bad_lstm.json", tmp_path / "run", window=10)
    assert not (tmp_path / "run").exists()


def test_a_window_network_of_both_directions_with_two_linear_layers(tmp_path):
    torch.manual_seed(0)

    def forward(m, x):
        return torch.sigmoid(m.out(torch.tanh(m.hidden(m.rnn(x)[0][:, -1]))))

    module = Network(
        forward, rnn=lstm(2, 3, bidirectional=True, proj_size=2), hidden=nn.Linear(4, 5), out=nn.Linear(5, 6)
    )
    names = Names("tanh", "sigmoid", "last")
    path = written(module, tmp_path / "w.safetensors")
    import_weights(path, tmp_path / "run", window=WINDOW, horizon=3, names=names, inputs=["a", "b"], outputs=["a", "b"])
    predictor = exported_run(tmp_path)
    assert predictor.predict(draw(1, features=2)[0]).shape == (3, 2)
    assert_same(predictor, module)


def stacked(**layers):
    return nn.ModuleDict(layers)


AMBIGUOUS = {
    "two linear layers": (
        stacked(lstm=nn.LSTM(2, 3), a=nn.Linear(3, 4), b=nn.Linear(4, 1)),
        {},
        "2 linear layers: the names do not say which function is between them",
    ),
    "both directions": (
        stacked(lstm=nn.LSTM(2, 3, bidirectional=True), a=nn.Linear(6, 1)),
        {},
        "the names do not say whether",
    ),
    "LSTMs of one size": (
        stacked(a=nn.LSTM(3, 3), b=nn.LSTM(3, 3), c=nn.Linear(3, 1)),
        {},
        "fit in more than one order (a 3 to 3, b 3 to 3, c 3 to 1)",
    ),
    "sizes that do not chain": (
        stacked(a=nn.LSTM(3, 3), c=nn.Linear(4, 1)),
        {},
        "do not fit in any order (a 3 to 3, c 4 to 1)",
    ),
    "a GRU": (stacked(a=nn.GRU(3, 5), c=nn.Linear(5, 1)), {}, "this is a GRU"),
    "a cell": (stacked(a=nn.LSTMCell(3, 5), c=nn.Linear(5, 1)), {}, "'a.weight_ih' does not belong to an LSTM"),
    "batch norm": (
        stacked(a=nn.LSTM(3, 5), n=nn.BatchNorm1d(5), c=nn.Linear(5, 1)),
        {},
        "'n.weight' does not belong to",
    ),
    "a convolution": (
        stacked(a=nn.Conv1d(3, 3, 1), b=nn.LSTM(3, 5), c=nn.Linear(5, 1)),
        {},
        "'a.weight' does not belong to",
    ),
    "no LSTM": (stacked(c=nn.Linear(5, 1)), {}, "expected the tensors of an LSTM"),
    "no linear layer": (stacked(a=nn.LSTM(3, 5)), {}, "expected a linear layer"),
    "an LSTM without a name": (nn.LSTM(3, 5), {}, "its LSTM has no name"),
}


@pytest.mark.parametrize("case", AMBIGUOUS, ids=lambda case: case.replace(" ", "-"))
def test_names_that_do_not_tell_the_network_are_refused(case, tmp_path):
    module, options, expected = AMBIGUOUS[case]
    path = written(module, tmp_path / "w.pt")
    with pytest.raises(NetworkError) as caught:
        import_weights(path, tmp_path / "run", window=WINDOW, **options)
    assert expected in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_window_may_be_one_step_long_and_a_horizon_one_step_far(tmp_path):
    path = written(stacked(a=nn.LSTM(3, 5), c=nn.Linear(5, 1)), tmp_path / "w.pt")
    contract = import_weights(path, tmp_path / "run", window=1, horizon=1).record.contract
    assert (contract.window, contract.horizon) == (1, 1)
    with pytest.raises(InputError, match="expected at least 1, got 8, 0"):
        import_weights(path, tmp_path / "none", window=8, horizon=0)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"task": "guess"}, "expected one of forecast"),
        ({"state": "kept"}, "expected one of window, carried"),
        ({"names": Names(take="first")}, "expected one of last, final"),
        ({"names": Names(activation="swish")}, "activation: expected one of"),
        ({"task": "classify"}, "needs softmax or sigmoid at its end"),
        ({"window": 0}, "expected at least 1"),
        ({"horizon": 2}, "cannot be divided into 2 steps"),
        ({"inputs": ["a"]}, "expected 3 different"),
    ],
)
def test_choices_that_do_not_fit_are_refused(options, expected, tmp_path):
    path = written(stacked(a=nn.LSTM(3, 5), c=nn.Linear(5, 1)), tmp_path / "w.pt")
    with pytest.raises(InputError, match=expected):
        import_weights(path, tmp_path / "run", **{"window": WINDOW, **options})
    assert not (tmp_path / "run").exists()


def test_tensors_are_read_in_float32_whatever_they_were(tmp_path):
    tensors = {"a": torch.ones(2, dtype=torch.bfloat16), "b": torch.ones(2, dtype=torch.float64), "n": torch.tensor(3)}
    torch.save(tensors, tmp_path / "w.pt")
    read = read_weights(tmp_path / "w.pt")
    assert {name: str(t.dtype) for name, t in read.items()} == {"a": "float32", "b": "float32", "n": "int64"}


def test_neither_export_nor_weights_of_other_files_bring_in_torch(tmp_path):
    path = written(carried_module(), tmp_path / "w.json")
    code = "import sys, edgelstm.export; from edgelstm.importers import read_torch, write_imported\n"
    code += "write_imported(read_torch(sys.argv[1], window=4, state='carried'), sys.argv[2])"
    assert "torch" not in modules_after(code, path, tmp_path / "run")
    assert (tmp_path / "run" / "run.json").exists()
