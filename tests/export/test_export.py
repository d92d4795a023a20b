"""Export as a whole: proven, described, reproducible, whole or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors.numpy

from edgelstm import load
from edgelstm.errors import ParityError, RunError
from edgelstm.export import export_run
from edgelstm.run import read_run
from edgelstm.runtime import read_model_file
from tests import oracles

EXPORT = "from edgelstm.export import export_run; export_run({run!r}, {folder!r}, precisions=['int8'])"


def test_the_same_run_exported_twice_gives_the_same_bytes(window_files, tmp_path):
    export_run(window_files.run, tmp_path, precisions=["int8"])
    for file in (window_files.fp32, window_files.int8):
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_a_process_with_other_hashes_gives_the_same_bytes(window_files, tmp_path):
    code = EXPORT.format(run=str(window_files.run), folder=str(tmp_path))
    for seed in ("1", "2"):
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONHASHSEED": seed})
        assert (tmp_path / "small.int8.onnx").read_bytes() == window_files.int8.read_bytes()


@pytest.mark.parametrize("files", ["window_files", "carried_files"])
def test_the_files_compute_what_the_oracle_computes_from_the_weights(files, request):
    files = request.getfixturevalue(files)
    run = read_run(files.run)
    every_step = run.record.contract.state == "carried"
    expected = oracles.forecast(run.weights, oracles.sizes_of(run), run.golden_x, every_step)
    limit = 1e-6 * max(1, np.abs(expected).max())
    assert np.abs(load(files.fp32).predict(run.golden_x) - expected).max() <= limit
    # The golden outputs come from torch, which rounds at the size of the output.
    assert np.abs(run.golden_y - expected).max() <= limit


def test_any_onnx_client_can_call_a_window_file(window_files):
    session = onnxruntime.InferenceSession(window_files.fp32, providers=["CPUExecutionProvider"])
    golden = load(window_files.fp32).golden
    y = session.run(None, {"x": golden.x})[0]
    np.testing.assert_allclose(y, golden.file, atol=1e-4)
    assert [i.name for i in session.get_inputs()] == ["x"]


def test_each_file_says_its_own_test_score_measured_by_running_it(window_files):
    run = read_run(window_files.run)
    for path, precision in ((window_files.fp32, "fp32"), (window_files.int8, "int8")):
        contract = read_model_file(path).contract
        assert contract.precision == precision
        test = next(part for part in contract.metrics if part.part == "test")
        windows = run.heldout
        error = load(path).predict(windows.x()).astype(np.float64) - windows.y()
        assert test.file["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-9)
        assert test.file["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-9)
        assert test.network["rmse"] == pytest.approx(run.record.contract.metrics[-1].network["rmse"])
        assert {"persistence", "ridge"} <= test.baselines.keys()


def test_the_contract_names_every_package_that_had_a_hand_in_it(window_files):
    versions = read_model_file(window_files.fp32).contract.provenance.versions
    assert versions["onnx"] == onnx.__version__
    assert versions["onnxruntime"] == onnxruntime.__version__
    assert {"edgelstm", "torch"} <= versions.keys()


def test_a_graph_that_differs_from_the_network_is_a_parity_error_and_nothing_is_written(window_files, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(window_files.run, run)
    golden = safetensors.numpy.load((run / "golden.safetensors").read_bytes())
    golden["y"][2, 1, 0] += 0.05  # as if torch had answered something else
    (run / "golden.safetensors").write_bytes(safetensors.numpy.save(golden))
    with pytest.raises(ParityError, match="differs from the trained network") as caught:
        export_run(run, tmp_path / "files", precisions=["int8"])
    assert caught.value.report["co2"]["error"] == pytest.approx(0.05, abs=1e-3)
    assert not (tmp_path / "files").exists()


def test_changed_weights_are_refused_before_any_graph_is_built(window_files, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(window_files.run, run)
    weights = safetensors.numpy.load((run / "network.safetensors").read_bytes())
    weights["head.bias"][0] += 1
    (run / "network.safetensors").write_bytes(safetensors.numpy.save(weights))
    with pytest.raises(RunError, match="not the weights"):
        export_run(run)


def test_export_needs_no_torch(window_files, tmp_path):
    code = "import sys; sys.modules['torch'] = None\n" + EXPORT.format(run=str(window_files.run), folder=str(tmp_path))
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "small.int8.onnx").read_bytes() == window_files.int8.read_bytes()


def test_a_full_disk_leaves_the_old_files_and_no_litter(window_files, tmp_path):
    """A limit on the size of files in a child stands in for the disk: the write fails with the same OSError."""
    export_run(window_files.run, tmp_path)
    before = (tmp_path / "small.fp32.onnx").read_bytes()
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "from edgelstm.cli import main; import sys\n"
        f"sys.argv = ['edgelstm', 'export', {str(window_files.run)!r}, '-o', {str(tmp_path)!r}]; main()"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 2, process.stderr
    assert len(process.stderr.splitlines()) == 1
    assert "cannot write" in process.stderr
    assert (tmp_path / "small.fp32.onnx").read_bytes() == before
    assert os.listdir(tmp_path) == ["small.fp32.onnx"]
