"""A run directory comes back as it was written, and whatever is wrong with one is a RunError."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from edgelstm.errors import OutputError, RunError
from edgelstm.network import carried_states
from edgelstm.run import GOLDEN, HELDOUT, RECORD, WEIGHTS, golden_rows_of, pack_weights, read_run, write_run
from tests.conftest import train_small

FILES = (RECORD, WEIGHTS, GOLDEN, HELDOUT)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    return train_small(tmp_path_factory.mktemp("run") / "run", network__num_layers=2)


@pytest.fixture(scope="module")
def whole(fitted):
    """The folder of a run that nothing has damaged."""
    return fitted.run.path


@pytest.fixture
def folder(whole, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(whole, tmp_path / "run")


def assert_same(run, other):
    assert run.record == other.record
    assert run.weights.keys() == other.weights.keys()
    pairs = [(run.weights[name], other.weights[name]) for name in run.weights]
    pairs += [(run.golden_x, other.golden_x), (run.golden_y, other.golden_y)]
    if run.heldout is None or other.heldout is None:
        assert run.heldout is other.heldout
    else:
        pairs += [(run.heldout.x(), other.heldout.x()), (run.heldout.y(), other.heldout.y())]
        pairs += [(run.heldout.history(), other.heldout.history())]
    for one, two in pairs:
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)


def test_a_run_comes_back_as_it_was_written(fitted):
    assert_same(read_run(fitted.run.path), fitted.run)
    assert_same(read_run(str(fitted.run.path)), fitted.run)


def test_golden_vectors_come_back_whatever_their_order_in_memory(fitted, tmp_path):
    x, y = fitted.run.golden_x, fitted.run.golden_y[::-1]
    write_run(replace(fitted.run, path=tmp_path / "turned", golden_x=np.asfortranarray(x), golden_y=y), {})
    again = read_run(tmp_path / "turned")
    np.testing.assert_array_equal(again.golden_x, x)
    np.testing.assert_array_equal(again.golden_y, y)


def test_the_weights_are_what_torch_calls_them(fitted):
    names = {f"lstm.{part}_l{n}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh") for n in range(2)}
    names |= {"head.weight", "head.bias", "input_offset", "input_factor", "output_scale", "output_offset"}
    weights = load_file(fitted.run.path / WEIGHTS)
    assert set(weights) == names
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float32)}


def test_a_run_without_a_test_part_comes_back_without_one(fitted, tmp_path):
    contract = replace(fitted.run.record.contract, metrics=())
    run = replace(fitted.run, path=tmp_path / "run", heldout=None, record=replace(fitted.run.record, contract=contract))
    write_run(run, {})
    assert not (run.path / HELDOUT).exists()
    assert_same(read_run(run.path), run)


def test_a_run_written_over_another_keeps_nothing_of_it(fitted, folder):
    contract = replace(fitted.run.record.contract, metrics=())
    run = replace(fitted.run, path=folder, heldout=None, record=replace(fitted.run.record, contract=contract))
    write_run(run, {})
    assert read_run(folder).heldout is None


def test_further_files_are_written_beside_the_run(fitted, tmp_path):
    run = replace(fitted.run, path=tmp_path / "a" / "run")
    write_run(run, {"note.txt": b"hello"})
    assert (run.path / "note.txt").read_bytes() == b"hello"


def test_a_place_that_cannot_be_written_is_an_output_error(fitted, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        write_run(replace(fitted.run, path=tmp_path / "file" / "run"), {})


def test_weights_are_packed_alike_in_whatever_order_they_come(fitted):
    weights = fitted.run.weights
    turned = dict(reversed(weights.items()))
    assert pack_weights(turned) == pack_weights(weights)
    changed = {**weights, "head.bias": weights["head.bias"] + 1}
    assert pack_weights(changed)[1] != pack_weights(weights)[1]


def test_carried_states_are_one_h_and_one_c_for_each_layer(fitted):
    states = carried_states(fitted.run.record.network)
    assert [(s.input, s.output) for s in states] == [
        (f"{name}{layer}", f"{name}{layer}_out") for layer in range(2) for name in "hc"
    ]
    assert {s.shape for s in states} == {(1, "B", 8)}


def test_a_missing_run_directory_is_named(tmp_path):
    with pytest.raises(RunError, match="nowhere: run directory not found"):
        read_run(tmp_path / "nowhere")


def test_a_file_is_no_run_directory(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="run directory not found"):
        read_run(tmp_path / "file")


def test_an_unfinished_training_says_how_to_go_on(folder):
    (folder / RECORD).unlink()
    with pytest.raises(RunError, match=r"did not finish.*--resume --output .*run"):
        read_run(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_an_error_that_names_it(folder, name):
    (folder / name).unlink()
    with pytest.raises(RunError, match=name):
        read_run(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\x00" * 100, b"\xff\xfe", b'{"a": NaN}'])
def test_a_foreign_file_is_an_error_that_names_it(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(RunError, match=name):
        read_run(folder)


@pytest.mark.parametrize("name", [WEIGHTS, GOLDEN, HELDOUT])
def test_other_tensors_are_an_error_that_names_the_file(folder, name):
    save_file({"something else": np.zeros(3, np.float32)}, folder / name)
    with pytest.raises(RunError, match=name):
        read_run(folder)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("x", lambda array: array[:, 1:]),
        ("x", lambda array: array[:0]),
        ("x", lambda array: array.astype(np.float64)),
        ("x", lambda array: np.array(1.0, np.float32)),
        ("y", lambda array: array[1:]),
        ("y", lambda array: array.astype(np.int64)),
    ],
)
def test_golden_vectors_that_are_not_those_of_the_contract_are_refused(folder, name, change):
    golden = load_file(folder / GOLDEN)
    save_file({**golden, name: np.ascontiguousarray(change(golden[name]))}, folder / GOLDEN)
    with pytest.raises(RunError, match=rf"{GOLDEN}: expected '{name}' as"):
        read_run(folder)


@pytest.mark.parametrize("name", [WEIGHTS, GOLDEN, HELDOUT])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_file_is_an_error_that_names_it(folder, name, share):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(len(content) * share)])
    with pytest.raises(RunError, match=rf"{name}.*damaged"):
        read_run(folder)


def test_swapped_weights_are_noticed(folder):
    weights = load_file(folder / WEIGHTS)
    weights["head.bias"] = weights["head.bias"] + 1
    save_file(weights, folder / WEIGHTS)
    with pytest.raises(RunError, match=r"not the weights that run\.json describes"):
        read_run(folder)


def edit(folder, change):
    record = json.loads((folder / RECORD).read_text())
    change(record)
    (folder / RECORD).write_text(json.dumps(record))


def test_an_unknown_key_in_the_record_is_named(folder):
    edit(folder, lambda record: record["network"].update(layer=3))
    with pytest.raises(RunError, match=r"run\.json: run\.network: unknown key 'layer'"):
        read_run(folder)


def test_a_missing_key_in_the_record_is_named(folder):
    edit(folder, lambda record: record["contract"].pop("window"))
    with pytest.raises(RunError, match=r"run\.json: run\.contract: the key 'window' is missing"):
        read_run(folder)


def test_a_newer_format_is_named(folder):
    edit(folder, lambda record: record.update(format_version=5))
    with pytest.raises(RunError, match=r"expected run format 4, got 5"):
        read_run(folder)


def test_a_contract_that_contradicts_itself_is_refused(folder):
    edit(folder, lambda record: record["contract"].update(state="carried"))
    with pytest.raises(RunError, match=r"state is 'carried', but 0 state tensors"):
        read_run(folder)


@settings(max_examples=80, deadline=None)
@given(name=st.sampled_from(FILES), place=st.integers(0, 1499), change=st.integers(1, 255))
@example(name=HELDOUT, place=12, change=1)
def test_one_changed_byte_anywhere_is_a_run_error_or_still_a_run(whole, tmp_path_factory, name, place, change):
    folder = tmp_path_factory.getbasetemp() / "bitten"
    shutil.copytree(whole, folder, dirs_exist_ok=True)
    content = bytearray((folder / name).read_bytes())
    # The head of a safetensors file is where names, shapes and offsets are.
    content[place % len(content)] ^= change
    (folder / name).write_bytes(content)
    try:
        run = read_run(folder)
    except RunError:
        return
    assert run.weights.keys() == load_file(whole / WEIGHTS).keys()


def test_golden_vectors_of_long_answers_are_few_and_at_least_one(fitted):
    contract = fitted.run.record.contract
    assert golden_rows_of(contract) == 5
    states = carried_states(fitted.run.record.network)
    carried = replace(contract, state="carried", trained_state="carried", states=states)
    # 4 bytes x (96 inputs + 2 x 96 x 24 answers) is 18,816 a row: one fits 32 KiB.
    assert golden_rows_of(replace(carried, window=96, horizon=24)) == 1
    assert golden_rows_of(replace(carried, window=10_000)) == 1


def test_a_run_in_a_notebook_does_not_print_its_weights(fitted):
    assert "array(" not in repr(fitted.run)
