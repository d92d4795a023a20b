"""A file that is not what was exported: taken if it is asked for, and first by a child that may die."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from edgelstm.errors import ModelFileError
from edgelstm.runtime import load, replay, trial
from tests.attack.fresh import STEPS, all_kinds, model_file
from tests.resealed import entry, resealed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits of the child are Linux's")
OUR_PATH = "import sys; sys.path[:] = sys.argv[1:]"


@pytest.fixture(scope="module")
def content():
    return model_file()


@pytest.fixture
def model(content):
    return onnx.ModelProto.FromString(content)


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "altered.onnx"
        path.write_bytes(content)
        return path

    return write


def heavy(model, operator, inputs, **attributes):
    """Put a node in front that no output needs; onnxruntime drops those, so y takes a zero from it."""
    made = [helper.make_node(operator, inputs, ["heavy"], **attributes)]
    made.append(helper.make_node("ReduceSum", ["heavy"], ["sum"], keepdims=0))
    made.append(helper.make_node("Mul", ["sum", "x"], ["unused"]))
    made.append(helper.make_node("Add", ["x", "unused"], ["x_heavy"]))
    for node in model.graph.node:
        for k, name in enumerate(node.input):
            node.input[k] = "x_heavy" if name == "x" else name
    for node in reversed(made):
        model.graph.node.insert(0, node)


def test_altered_weights_are_refused_unless_asked_for(model, write, content):
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "head.B")
    weight.raw_data = (numpy_helper.to_array(weight) + np.float32(1)).tobytes()
    path = write(model.SerializeToString())
    with pytest.raises(ModelFileError, match=r"altered since export.*unverified=True"):
        load(path)
    predictor = load(path, unverified=True)
    assert [reason.split(":")[0] for reason in predictor.let_pass] == ["the file was altered since export"]
    result = replay(predictor)
    assert not result.passed
    np.testing.assert_allclose(result.file_error, 1, rtol=1e-4)


def test_a_file_that_is_what_it_was_has_nothing_to_let_pass(write, content):
    assert load(write(content), unverified=True).let_pass == ()


def test_what_an_optimizer_made_of_a_file_is_taken(write, content, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    with pytest.raises(ModelFileError):
        load(tmp_path / "optimized.onnx")
    predictor = load(tmp_path / "optimized.onnx", unverified=True)
    assert any("Gelu" in reason for reason in predictor.let_pass)
    assert replay(predictor).passed


def test_a_plain_onnx_file_is_refused_in_plain_words(model, write):
    del model.metadata_props[:]
    with pytest.raises(ModelFileError, match=r"without an edgelstm contract.*unverified or not"):
        load(write(model.SerializeToString()), unverified=True)


@pytest.mark.parametrize("digest", ["", "0" * 64, "no digest"])
def test_any_digest_will_do(model, write, digest):
    entry(model, "edgelstm.digest").value = digest
    assert len(load(write(model.SerializeToString()), unverified=True).let_pass) == 1


def test_external_data_is_refused_all_the_same(model, write, tmp_path):
    tensor = model.graph.initializer[0]
    tensor.external_data.add(key="location", value="../canary")
    with pytest.raises(ModelFileError, match="external data"):
        load(write(model.SerializeToString()), unverified=True)


def test_damage_is_refused_all_the_same(write, content):
    with pytest.raises(ModelFileError, match="damaged"):
        load(write(content[:-1]), unverified=True)


@pytest.mark.parametrize("name", ["fp32", "int8", "carried int8", "bidirectional int8w with lengths", "fp16"])
def test_every_kind_of_file_passes_the_limits(name):
    trial.try_in_child(all_kinds()[name])


def test_a_large_file_passes_the_limits():
    trial.try_in_child(model_file(hidden_size=512))


def test_what_onnxruntime_refuses_the_child_refuses(model, write):
    next(node for node in model.graph.node if node.op_type == "Erf").op_type = "NoSuchOperator"
    with pytest.raises(ModelFileError, match=r"refused in a trial child process: .*NoSuchOperator"):
        load(write(model.SerializeToString()), unverified=True)


def test_a_graph_that_wants_more_memory_than_there_is(model, write):
    model.graph.initializer.append(numpy_helper.from_array(np.array([2**30, 4], np.int64), "large"))
    heavy(model, "ConstantOfShape", ["large"])
    with pytest.raises(ModelFileError, match=r"refused in a trial child process.*alloc"):
        load(write(resealed(model)), unverified=True)


def test_a_graph_that_never_ends(model, write, monkeypatch):
    """A chain of products of large matrices, which takes little memory: 400 of 137 billion operations each."""
    model.graph.initializer.append(numpy_helper.from_array(np.array([4096, 4096], np.int64), "size"))
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["size"], ["p0"]))
    for k in range(400):
        model.graph.node.insert(k + 1, helper.make_node("MatMul", [f"p{k}", "p0"], [f"p{k + 1}"]))
    monkeypatch.setattr(trial, "WALL_S", 2)
    with pytest.raises(ModelFileError, match="did not end within 2 s"):
        trial.try_in_child(_with_tail(model, 400))


def test_the_processor_time_has_an_end(monkeypatch):
    code = "from edgelstm.runtime import trial\ntrial.CPU_S = 1\ntrial._limit(2**29)\nwhile True: pass"
    monkeypatch.setattr(trial, "_CHILD", f"{OUR_PATH}\n{code}")
    with pytest.raises(ModelFileError, match="used more than 30 s of processor time"):
        trial.try_in_child(b"")


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "died of SIGSEGV"),
        ("import os; os.abort()", "died of SIGABRT"),
        ("import os; os._exit(7)", "ended with status 7"),
        ("import time; time.sleep(60)", "did not end within 1 s"),
    ],
)
def test_how_a_child_ended_is_told(monkeypatch, code, ending):
    monkeypatch.setattr(trial, "_CHILD", code)
    monkeypatch.setattr(trial, "WALL_S", 1 if "sleep" in code else 60)
    with pytest.raises(ModelFileError, match=f"in a trial child process it {ending}"):
        trial.try_in_child(b"x" * 2**20, "here")


def test_the_child_opens_no_file(monkeypatch):
    code = "from edgelstm.runtime import trial\ntrial._limit(2**29)\nopen('/etc/hostname')"
    monkeypatch.setattr(
        trial,
        "_CHILD",
        f"{OUR_PATH}\ntry:\n {code.replace(chr(10), chr(10) + ' ')}\nexcept OSError as e: trial._refuse(str(e))",
    )
    with pytest.raises(ModelFileError, match="Too many open files"):
        trial.try_in_child(b"")


def test_where_there_are_no_limits_nothing_is_tried(monkeypatch, write, content):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ModelFileError, match="cannot be tried"):
        load(write(content), unverified=True)


def test_inspect_verify_and_predict_say_what_they_let_pass(cli_here, model, write, tmp_path):
    entry(model, "edgelstm.digest").value = "0" * 64
    path = write(model.SerializeToString())
    (tmp_path / "data.csv").write_text("temperature,pressure\n" + "1,2\n" * STEPS)
    for command in (["inspect", path], ["verify", path], ["predict", path, "data.csv"], ["bench", path]):
        assert cli_here(*command).returncode == 2
    told = cli_here("inspect", path, "--unverified")
    assert told.returncode == 0
    assert "UNVERIFIED: the file was altered" in told.stdout
    told = cli_here("verify", path, "--unverified")
    assert told.returncode == 0
    assert "ALTERED since export" in told.stdout
    told = cli_here("predict", path, "data.csv", "--unverified")
    assert told.returncode == 0
    assert "unverified: the file was altered" in told.stderr
    assert cli_here("bench", path, "--unverified", "--seconds", "0.01").returncode == 0


def _with_tail(model, last):
    """Let the answer depend on the value p{last}."""
    model.graph.node.append(helper.make_node("ReduceMax", [f"p{last}"], ["most"], keepdims=0))
    (output,) = [node for node in model.graph.node if "y" in node.output]
    output.output[0] = "y_before"
    model.graph.node.append(helper.make_node("Add", ["y_before", "most"], ["y"]))
    return resealed(model)
