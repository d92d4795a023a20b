"""Torch modules that are lists of known layers: the chain that is found is the true one, however it is written."""

from __future__ import annotations

import copy
import json

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional

from edgelstm.contract import Channel
from edgelstm.errors import InputError, NetworkError, RunError
from edgelstm.export import from_torch
from edgelstm.network import FINAL, LAST, Take
from tests.importers.torch_modules import (
    WINDOW,
    Network,
    answer,
    assert_same,
    draw,
    exported,
    exported_run,
    forecaster,
    kinds,
    lstm,
)


def both_states(m, x):
    _, (h, _) = m.lstm(x)
    return m.head(torch.cat([h[-2], h[-1]], dim=1))


def zeros_written_out(m, x):
    h0 = torch.zeros(2, x.size(0), 5, device=x.device)
    out, _ = m.lstm(x, (h0, h0.clone()))
    return m.head(functional.relu(out[:, -1, :]))


def time_first_inside(m, x):
    out, _ = m.lstm(x.transpose(0, 1))
    return m.head(out[-1])


FORWARDS = {
    "out[:, -1]": (forecaster(), ["lstm", "take", "linear"]),
    "h_n[-1]": (forecaster(lambda m, x: m.head(m.lstm(x)[1][0][-1]), num_layers=2), ["lstm", "take", "linear"]),
    "h_n as it comes": (forecaster(lambda m, x: m.head(m.lstm(x)[1][0]).squeeze(0)), ["lstm", "take", "linear"]),
    "the head at every step, then the last": (
        forecaster(lambda m, x: m.head(m.lstm(x)[0])[:, -1]),
        ["lstm", "take", "linear"],
    ),
    "both directions, last step": (forecaster(bidirectional=True), ["lstm", "take", "linear"]),
    "both directions, final states": (forecaster(both_states, bidirectional=True), ["lstm", "take", "linear"]),
    "zeros written out and a function between": (
        forecaster(zeros_written_out, num_layers=2),
        ["lstm", "take", "activation", "linear"],
    ),
    "time first inside": (forecaster(time_first_inside, batch_first=False), ["lstm", "take", "linear"]),
    "a projection": (forecaster(proj_size=3), ["lstm", "take", "linear"]),
    "no bias": (forecaster(bias=False), ["lstm", "take", "linear"]),
    "squeezed": (forecaster(lambda m, x: m.head(m.lstm(x)[0][:, -1]).squeeze(), outputs=1), ["lstm", "take", "linear"]),
    "dropout between the layers": (forecaster(num_layers=2, dropout=0.5), ["lstm", "take", "linear"]),
    "a head of several layers": (
        Network(
            lambda m, x: m.head(m.dropout(m.second(m.lstm(x)[0])[0][:, -1])),
            lstm=lstm(3, 5),
            second=lstm(5, 4),
            dropout=nn.Dropout(),
            head=nn.Sequential(nn.Linear(4, 6), nn.GELU(approximate="tanh"), nn.Flatten(), nn.Linear(6, 2), nn.ELU()),
        ),
        ["lstm", "lstm", "take", "linear", "activation", "linear", "activation"],
    ),
    "a layer in front": (
        Network(lambda m, x: m.lstm(torch.tanh(m.first(x)))[0][:, -1], first=nn.Linear(3, 4), lstm=lstm(4, 2)),
        ["linear", "activation", "lstm", "take"],
    ),
}


@pytest.mark.parametrize("case", FORWARDS, ids=lambda case: case.replace(" ", "-"))
def test_the_chain_is_found_however_the_forward_is_written(case, tmp_path):
    module, expected = FORWARDS[case]
    found, file = exported(module, tmp_path)
    assert kinds(found) == expected
    assert_same(file, module)


def test_final_states_of_both_directions_are_not_the_last_step(tmp_path):
    last = from_torch(forecaster(bidirectional=True), tmp_path / "last", window=WINDOW)
    final = from_torch(forecaster(both_states, bidirectional=True), tmp_path / "final", window=WINDOW)
    assert Take(LAST) in last.network.layers
    assert Take(FINAL) in final.network.layers


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (nn.ReLU(), "relu"),
        (nn.ReLU(inplace=True), "relu"),
        (nn.GELU(), "gelu"),
        (nn.Tanh(), "tanh"),
        (nn.Sigmoid(), "sigmoid"),
        (nn.Softmax(dim=1), "softmax"),
        (nn.Hardsigmoid(), "hard_sigmoid"),
        (nn.ELU(), "elu"),
        (nn.SELU(), "selu"),
        (nn.LeakyReLU(), "leaky_relu"),
        (nn.Softplus(), "softplus"),
        (nn.Softsign(), "softsign"),
    ],
)
def test_functions_are_found_by_what_was_called(layer, function, tmp_path):
    module = nn.Sequential(forecaster(), layer)
    found, file = exported(module, tmp_path)
    assert found.network.layers[-1].function == function
    assert_same(file, module, batches=(3,))


def always_positive(m, x):
    return functional.relu(m.head(m.lstm(x)[0][:, -1]))


def test_a_function_that_changed_nothing_here_is_still_found(tmp_path):
    module = forecaster(always_positive)
    nn.init.constant_(module.head.bias, 100.0)  # relu lets all of it pass, on any window one could try
    found = from_torch(module, tmp_path / "run", window=WINDOW)
    assert kinds(found) == ["lstm", "take", "linear", "activation"]


UNLIKE = {
    "the first step": (lambda m, x: m.head(m.lstm(x)[0][:, 0]), "the input of 'head' (Linear) is not the output"),
    "the mean over time": (lambda m, x: m.head(m.lstm(x)[0].mean(1)), "mean in Network"),
    "a skip connection": (lambda m, x: m.head(m.lstm(x)[0][:, -1]) + x[:, -1, :2], "add in Network"),
    "an operation between": (lambda m, x: m.head(m.lstm(x * 2)[0][:, -1]), "mul in Network"),
    "a leaky function with another slope": (
        lambda m, x: functional.leaky_relu(m.head(m.lstm(x)[0][:, -1]), 0.2),
        "leaky_relu in Network",
    ),
    "time backwards": (lambda m, x: m.head(m.lstm(x.flip(1))[0][:, -1]), "flip in Network"),
    "a state that is not zero": (
        lambda m, x: m.head(m.lstm(x, (torch.ones(1, x.size(0), 5), torch.zeros(1, x.size(0), 5)))[0][:, -1]),
        "starts from a state that is not zero",
    ),
    "channels the other way": (
        lambda m, x: m.head(m.lstm(x[..., [2, 1, 0]])[0][:, -1]),
        "the input of 'lstm' (LSTM) is not the output",
    ),
}


@pytest.mark.parametrize("case", UNLIKE, ids=lambda case: case.replace(" ", "-"))
def test_a_forward_that_does_anything_else_is_never_taken_for_the_chain(case, tmp_path):
    forward, reason = UNLIKE[case]
    module = forecaster(forward)
    found, file = exported(module, tmp_path)
    assert found.network is None
    assert any(reason in note for note in found.notes), found.notes
    assert any(
        "torch.onnx.export" in note
        for note in json.loads((tmp_path / "run" / "run.json").read_text())["recipe"]["notes"]
    )
    assert_same(file, module)


def test_one_direction_of_two_goes_the_foreign_way(tmp_path):
    module = Network(
        lambda m, x: m.head(m.lstm(x)[1][0][-1]), lstm=lstm(3, 5, bidirectional=True), head=nn.Linear(5, 2)
    )
    found, file = exported(module, tmp_path)
    assert found.network is None
    assert_same(file, module)


def test_a_module_that_takes_time_first_is_turned(tmp_path):
    module = forecaster(lambda m, x: m.head(m.lstm(x)[0]), batch_first=False)
    found, file = exported(module, tmp_path, task="label")
    x = draw(4)
    expected = answer(module, np.ascontiguousarray(x.swapaxes(0, 1))).swapaxes(0, 1)
    np.testing.assert_allclose(file.predict(x), expected, atol=1e-6)
    assert kinds(found) == ["lstm", "linear"]
    assert "[T, B, ...]" in found.notes[0]


def with_state(m, x, state=None):
    out, state = m.lstm(x, state)
    return m.head(out), state


@pytest.mark.parametrize("forward", [lambda m, x: m.head(m.lstm(x)[0]), with_state], ids=["alone", "with its state"])
def test_a_carried_module_streams_as_it_runs_at_once(forward, tmp_path):
    module = forecaster(forward, num_layers=2)
    found, file = exported(module, tmp_path, state="carried", precisions=["int8w"])
    x = draw(1, 40)
    stream = file.stream()
    stepped = np.stack([stream.step(sample) for sample in x[0]])
    np.testing.assert_array_equal(stepped, file.predict(x[0]))
    np.testing.assert_allclose(stepped[:, 0], answer(module, x)[0], atol=1e-6)
    assert kinds(found) == ["lstm", "linear"]


def test_a_bare_lstm_is_a_network(tmp_path):
    torch.manual_seed(0)
    module = lstm(3, 4, num_layers=2, bidirectional=True)
    _, file = exported(module, tmp_path, task="label")
    assert_same(file, module)


def packed(m, x, lengths):
    rows = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    _, (h, _) = m.lstm(rows)
    return m.head(torch.cat([h[-2], h[-1]], dim=1))


def unpacked(m, x, lengths):
    rows = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    out, _ = nn.utils.rnn.pad_packed_sequence(m.lstm(rows)[0], batch_first=True)
    return m.head(out)


def gathered(m, x, lengths):
    return m.head(m.lstm(x)[0][torch.arange(len(x)), lengths - 1])


@pytest.mark.parametrize(
    ("forward", "task", "options"),
    [
        (packed, "forecast", {"bidirectional": True}),
        (unpacked, "label", {"bidirectional": True}),
        (gathered, "forecast", {}),
    ],
    ids=["packed", "unpacked", "gathered"],
)
def test_lengths_are_those_of_packed_sequences(forward, task, options, tmp_path):
    module = forecaster(forward, **options)
    found, file = exported(module, tmp_path, lengths=True, task=task)
    x, lengths = draw(4), np.array([3, WINDOW, 1, 4])
    y = file.predict(x, lengths)
    expected = answer(module, x, lengths).reshape(y.shape)
    valid = np.isfinite(y)
    np.testing.assert_allclose(y[valid], expected[valid], atol=1e-6)
    assert valid.all() or (task == "label" and valid[:, :, 0].sum() == lengths.sum())
    assert found.network is not None


def test_tokens_go_through_an_embedding(tmp_path):
    module = Network(
        lambda m, x: m.head(m.lstm(m.table(x))[0][:, -1]),
        table=nn.Embedding(11, 4, padding_idx=0),
        lstm=lstm(4, 5),
        head=nn.Sequential(nn.Linear(5, 3), nn.Softmax(-1)),
    )
    found, file = exported(module, tmp_path, task="classify")
    x = np.random.default_rng(0).integers(0, 11, (5, WINDOW))
    np.testing.assert_allclose(file.predict(x), answer(module, x), atol=1e-6)
    assert file.contract.inputs[0].categories == 11
    assert kinds(found)[:2] == ["embedding", "lstm"]


def test_an_answer_may_have_its_horizon_as_an_axis(tmp_path):
    module = forecaster(lambda m, x: m.head(m.lstm(x)[0][:, -1]).view(-1, 4, 2), outputs=8)
    _, file = exported(module, tmp_path, horizon=4, outputs=["temperature", "humidity"])
    assert file.predict(draw(1)[0]).shape == (4, 2)
    assert_same(file, module)


class Compiled(nn.Module):
    """What torch.compile wraps a module in, as far as one sees it; its own brings in the compiler, for 8 seconds."""

    def __init__(self, module):
        super().__init__()
        self._orig_mod = module


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.double(),
        lambda m: m.half(),
        lambda m: nn.utils.parametrizations.weight_norm(m.head) and m,
        lambda m: nn.utils.parametrizations.weight_norm(m.lstm, "weight_hh_l0") and m,
        Compiled,
        nn.DataParallel,
        lambda m: nn.Sequential(m),
    ],
    ids=["double", "half", "weight-norm", "weight-norm-lstm", "compiled", "data-parallel", "wrapped"],
)
def test_what_a_module_is_wrapped_in_changes_nothing(change, tmp_path):
    module = change(forecaster())
    plain = copy.deepcopy(getattr(module, "_orig_mod", module)).float()
    found, file = exported(module, tmp_path)
    assert kinds(found) == ["lstm", "take", "linear"]
    assert_same(file, plain)
    rounded = any("rounded to float32" in note for note in found.notes)
    assert rounded == any(parameter.dtype == torch.float64 for parameter in module.parameters())


def test_the_module_is_left_as_it_was(tmp_path):
    module = nn.Sequential(forecaster(num_layers=2, dropout=0.3), nn.Linear(2, 2)).double()
    module[1].eval()
    module[0].head.weight.requires_grad_(False)
    module(torch.zeros(1, 3, 3, dtype=torch.float64)).sum().backward()
    before = {name: (p.detach().clone(), p.grad, p.requires_grad) for name, p in module.named_parameters()}
    modes = [part.training for part in module.modules()]
    from_torch(module, tmp_path / "run", window=WINDOW)
    assert [part.training for part in module.modules()] == modes
    assert torch.get_default_dtype() == torch.float32
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    for name, parameter in module.named_parameters():
        value, grad, requires_grad = before[name]
        assert parameter.dtype == torch.float64
        assert torch.equal(parameter, value)
        assert parameter.grad is grad
        assert parameter.requires_grad is requires_grad


def test_weights_used_twice_are_used_twice(tmp_path):
    module = Network(lambda m, x: m.head(m.lstm(m.lstm(x)[0])[0][:, -1]), lstm=lstm(3, 3), head=nn.Linear(3, 2))
    found, file = exported(module, tmp_path, precisions=["int8"])
    assert kinds(found) == ["lstm", "lstm", "take", "linear"]
    assert_same(file, module)


def test_test_windows_bring_a_score_and_statistics(tmp_path):
    x = draw(20)
    y = np.stack([x[:, -1, 0], x[:, -1, 2]], axis=1)
    found = from_torch(
        forecaster(), tmp_path / "run", window=WINDOW, inputs=["a", "b", "c"], outputs=["a", "c"], test=(x, y)
    )
    contract = found.run.record.contract
    assert contract.metrics[0].windows == 20
    assert contract.metrics[0].baselines["persistence"]["rmse"] == 0  # the truth is the last value
    assert contract.inputs[1].statistics.mean == pytest.approx(x[..., 1].mean(), abs=1e-6)
    file = exported_run(tmp_path, precisions=["int8"])
    assert file.contract.metrics[0].file["mse"] == pytest.approx(contract.metrics[0].network["mse"], rel=1e-5)


def test_a_window_module_may_be_exported_with_a_carried_state(tmp_path):
    from_torch(forecaster(), tmp_path / "run", window=WINDOW)
    contract = exported_run(tmp_path, state="carried").contract
    assert (contract.state, contract.trained_state) == ("carried", "window")


def test_the_same_module_gives_the_same_bytes(tmp_path):
    module = forecaster(lambda m, x: m.head(m.lstm(x)[0].mean(1)))
    files = [exported(module, tmp_path / folder, precisions=["int8"])[1] for folder in "ab"]
    assert files[0].digest == files[1].digest


def test_a_graph_has_the_form_of_the_format(tmp_path):
    from_torch(forecaster(lambda m, x: m.head(m.lstm(x)[0].mean(1))), tmp_path / "run", window=WINDOW)
    graph = onnx.load(tmp_path / "run" / "network.onnx")
    assert graph.ir_version == 8
    assert [(o.domain, o.version) for o in graph.opset_import] == [("", 17)]
    axes = [d.dim_param or d.dim_value for d in graph.graph.input[0].type.tensor_type.shape.dim]
    assert (graph.graph.input[0].name, axes) == ("x", ["B", "T", 3])


def test_an_existing_run_is_not_replaced_unasked(tmp_path):
    from_torch(forecaster(), tmp_path / "run", window=WINDOW)
    with pytest.raises(RunError, match="a run already exists there"):
        from_torch(forecaster(), tmp_path / "run", window=WINDOW)
    from_torch(forecaster(), tmp_path / "run", window=WINDOW, overwrite=True)


ARGUMENTS = {
    "no module": ({"module": "lstm"}, InputError, "expected a torch.nn.Module"),
    "an unknown task": ({"task": "guess"}, InputError, "expected one of forecast"),
    "an unknown state": ({"state": "kept"}, InputError, "expected window or carried"),
    "no window": ({"window": 0}, InputError, "at least 1"),
    "lengths of a carried state": ({"lengths": True, "state": "carried"}, InputError, "takes no lengths"),
    "names for other channels": ({"inputs": ["a", "b"]}, NetworkError, "fails on x"),
    "names for other outputs": ({"outputs": ["a"]}, InputError, "expected 2 different name"),
    "a horizon that does not fit": ({"horizon": 3}, NetworkError, "3 does not fit"),
    "carried, answering once": ({"state": "carried"}, NetworkError, "gives one answer"),
    "a label, answering once": ({"task": "label"}, NetworkError, "gives one answer"),
    "logits": ({"task": "classify"}, NetworkError, "torch.nn.Softmax"),
    "lengths it does not take": ({"lengths": True}, NetworkError, "fails on x"),
    "test windows of other steps": ({"test": (draw(2, 4), draw(2)[:, 0, :2])}, InputError, "expected x"),
    "test windows with NaN": ({"test": (draw(2) * np.nan, draw(2)[:, 0, :2])}, InputError, "NaN"),
    "samples of another shape": ({"samples": draw(2, 4)}, InputError, "samples"),
    "a token channel": ({"inputs": [Channel("t", None, "int64", None, 3)]}, InputError, "no embedding"),
}


@pytest.mark.parametrize("case", ARGUMENTS, ids=lambda case: case.replace(" ", "-"))
def test_arguments_that_do_not_fit_are_refused(case, tmp_path):
    changes, error, expected = ARGUMENTS[case]
    with pytest.raises(error) as caught:
        from_torch(**{"module": forecaster(), "directory": tmp_path / "run", "window": WINDOW, **changes})
    assert expected in str(caught.value)
    assert not (tmp_path / "run").exists()
