"""`edgelstm export RUN --state carried`: a file that goes on where training always began anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgelstm import load
from edgelstm.errors import ExportError, InputError
from edgelstm.export import export_run
from edgelstm.network import Linear, Lstm, Mask, Network, Reverse, Take
from edgelstm.run import RUN_FORMAT_VERSION, Run, RunRecord, pack_weights, write_run
from edgelstm.runtime import replay
from tests import oracles
from tests.conftest import train_small
from tests.export.drawn import make_contract, make_weights
from tests.tiny_runs import write_tiny

STEPS = 6
LSTM, BOTH = Lstm("lstm", 3, 8), Lstm("lstm", 3, 8, bidirectional=True)


def written(folder, *layers, relative=(), lengths=None, task="forecast"):
    """A run directory of a network whose golden answers come from the oracle."""
    network = Network(layers, relative)
    weights = make_weights(network, 0)
    said = {"inputs": 3, "outputs": network.output_size, "window": STEPS, "lengths": lengths is not None}
    contract = make_contract(network, task, **said)
    contract = replace(contract, provenance=contract.provenance._replace(weights_sha256=pack_weights(weights)[1]))
    x = np.random.default_rng(1).normal(size=(4, STEPS, 3)).astype(np.float32)
    y = oracles.evaluate(network, weights, x, contract, lengths).astype(np.float32)
    record = RunRecord(RUN_FORMAT_VERSION, contract, network, {}, 0)
    write_run(Run(folder, record, weights, x, y, None, lengths), {})
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A window network with standard scaling, and its files of both states."""
    folder = tmp_path_factory.mktemp("carried")
    train_small(folder / "run", network__num_layers=2)
    export_run(folder / "run", folder / "window")
    export_run(folder / "run", folder / "carried", precisions=["int8"], state="carried")
    return folder


def test_the_contract_says_that_nobody_trained_it_so(trained):
    window, carried = (load(trained / state / "small.fp32.onnx").contract for state in ("window", "carried"))
    assert (window.state, window.trained_state, window.states) == ("window", "window", ())
    assert (carried.state, carried.trained_state) == ("carried", "window")
    assert [state.input for state in carried.states] == ["h0", "c0", "h1", "c1"]


def test_the_answer_behind_the_last_step_is_the_window_files(trained):
    window, carried = (load(trained / state / "small.fp32.onnx") for state in ("window", "carried"))
    x = window.golden.x
    np.testing.assert_allclose(carried.predict(x)[:, -1], window.predict(x), rtol=1e-6)


def test_it_goes_on_behind_the_window_and_its_steps_are_its_window_bit_for_bit(trained):
    carried = load(trained / "carried" / "small.fp32.onnx")
    x = np.concatenate(list(carried.golden.x))
    stream = carried.stream()
    np.testing.assert_array_equal(np.stack([stream.step(sample) for sample in x]), carried.predict(x))


def test_its_golden_vectors_replay(trained):
    for precision in ("fp32", "int8"):
        assert replay(load(trained / "carried" / f"small.{precision}.onnx")).passed


def test_a_projection_carries_the_state_in_front_of_it(tmp_path):
    lstm = replace(LSTM, proj_size=3, num_layers=2)
    written(tmp_path / "run", lstm, Take("last"), Linear("head", 3, 2))
    export_run(tmp_path / "run", state="carried")
    contract = load(tmp_path / "run" / "drawn.fp32.onnx").contract
    assert [state.shape for state in contract.states] == [(1, "B", 8)] * 4


@pytest.mark.parametrize("task", ["forecast", "label"])
def test_rows_of_their_own_length_are_held_against_the_step_at_which_they_end(tmp_path, task):
    take = (Take("last"),) if task == "forecast" else ()
    written(tmp_path / "run", LSTM, *take, Linear("head", 8, 2), lengths=np.array([6, 1, 4, 2]), task=task)
    (window,) = export_run(tmp_path / "run", tmp_path / "window").files
    (carried,) = export_run(tmp_path / "run", tmp_path / "carried", state="carried").files
    assert window.contract.lengths
    assert not carried.contract.lengths
    assert replay(load(carried.path)).passed


@pytest.mark.parametrize(
    ("layers", "relative", "reason"),
    [
        ((LSTM, Take("last"), Linear("head", 8, 2)), (0, 1), "relative scaling"),
        ((BOTH, Take("last"), Linear("head", 16, 2)), (), "both directions"),
        ((Mask(0.0), LSTM, Take("last"), Linear("head", 8, 2)), (), "a mask"),
        ((Reverse(), LSTM, Take("last"), Linear("head", 8, 2)), (), "steps in reverse order"),
    ],
)
def test_where_going_on_means_nothing_it_is_refused_and_nothing_is_written(tmp_path, layers, relative, reason):
    written(tmp_path / "run", *layers, relative=relative)
    with pytest.raises(ExportError, match=f"{reason}.*cannot carry its state"):
        export_run(tmp_path / "run", tmp_path / "files", state="carried")
    assert not (tmp_path / "files").exists()


def test_a_carried_network_has_no_window_file(carried_files, tmp_path):
    with pytest.raises(ExportError, match="cannot be exported with state window"):
        export_run(carried_files.run, tmp_path / "files", state="window")
    with pytest.raises(InputError, match="expected window or carried, got 'stepped'"):
        export_run(carried_files.run, tmp_path / "files", state="stepped")
    assert not (tmp_path / "files").exists()


def test_the_command_words_a_refusal_in_one_line(tmp_path, cli_here):
    written(tmp_path / "run", BOTH, Take("last"), Linear("head", 16, 2))
    result = cli_here("export", tmp_path / "run", "--state", "carried", "-o", tmp_path / "files")
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert "both directions" in result.stderr
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize("times", [False, True])
def test_a_classifier_of_rows_of_their_own_lengths_is_as_good_when_it_goes_on(tmp_path, times):
    write_tiny(tmp_path / "run", "classify", "class", lengths=True, times=times)
    (window,) = export_run(tmp_path / "run", tmp_path / "window").files
    (carried,) = export_run(tmp_path / "run", tmp_path / "carried", state="carried").files
    assert (carried.contract.state, carried.contract.times) == ("carried", times)
    assert carried.test["accuracy"] == window.test["accuracy"]
    assert carried.test["log_loss"] == pytest.approx(window.test["log_loss"], rel=1e-5)
    assert replay(load(carried.path)).passed
