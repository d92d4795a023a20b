"""The classic first example: 0.1 0.2 0.3 0.4 0.5, what comes next?"""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm import load
from edgelstm.export import export_run
from edgelstm.train import fit


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fifty_units_learn_one_sequence_and_say_it_on_onnxruntime(seed, tmp_path):
    x = np.array([[[0.1], [0.2], [0.3], [0.4], [0.5]]], np.float32)
    y = np.array([[0.6]], np.float32)
    options = {"hidden_size": 50, "scaling": "none", "epochs": 100, "optimizer": "adam", "loss": "mse", "threads": 1}
    fit(x, y, tmp_path / "run", name="first", seed=seed, progress=False, **options)
    export_run(tmp_path / "run", tmp_path, precisions=["int8"])
    assert load(tmp_path / "first.fp32.onnx").predict(x[0]).item() == pytest.approx(0.6, abs=0.01)
    assert load(tmp_path / "first.int8.onnx").predict(x[0]).item() == pytest.approx(0.6, abs=0.02)
