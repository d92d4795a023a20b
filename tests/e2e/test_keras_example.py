"""The classic first example as Keras tutorials have it: saved, imported, quantized, and the same number."""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm import load
from edgelstm.export import export_run, from_keras


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_tutorial_says_the_same_number_on_onnxruntime(seed, keras_files, tmp_path):
    from_keras(keras_files / f"first-{seed}.keras", tmp_path / "run", name="first")
    export_run(tmp_path / "run", tmp_path, precisions=["int8"])
    said = np.load(keras_files / f"first-{seed}.npz")
    fp32, int8 = (load(tmp_path / f"first.{kind}.onnx").predict(said["x"][0]).item() for kind in ("fp32", "int8"))
    assert fp32 == pytest.approx(said["y"].item(), abs=1e-5)
    assert fp32 == pytest.approx(0.6, abs=0.01)
    assert int8 == pytest.approx(0.6, abs=0.02)


def test_it_goes_from_the_command_line_to_a_device(keras_files, cli_here):
    imported = cli_here("import", "keras", keras_files / "first-0.keras", "--name", "first")
    assert "LSTM 1 -> 50, sigmoid/relu + last step" in imported.stdout, imported.stderr
    assert "wrote runs/first; next: edgelstm export runs/first --quantize" in imported.stdout
    exported = cli_here("export", "runs/first", "--quantize")
    assert "without test data its accuracy is unknown" in exported.stdout, exported.stderr
    assert cli_here("verify", "runs/first/first.int8.onnx").returncode == 0
