"""What only a machine with a CUDA GPU can show; skipped elsewhere, with the reason."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from edgelstm.errors import ProviderError
from edgelstm.runtime import load, replay
from edgelstm.runtime.engine.providers import CUDA, did_not_start, look, not_built_in


def missing():
    """Say why there is no CUDA here; None where there is."""
    found = look(CUDA)
    if CUDA not in onnxruntime.get_available_providers():
        return not_built_in("cuda", found)
    return did_not_start("cuda", found, "") if found.driver or not found.nodes else None


pytestmark = pytest.mark.skipif(missing() is not None, reason=f"not measured: {missing()}")


@pytest.fixture(params=["window", "carried"])
def fp32(request, window_files, carried_files):
    return {"window": window_files, "carried": carried_files}[request.param].fp32


def test_a_gpu_computes_the_golden_vectors(fp32):
    predictor = load(fp32, device="cuda")
    assert predictor.device == "cuda"
    result = replay(predictor)
    assert result.passed, result


def test_an_int8_network_is_refused_and_not_left_to_the_cpu(window_files, capfd):
    with pytest.raises(ProviderError, match=r"it cannot run this network: .*DynamicQuantizeLSTM"):
        load(window_files.int8, device="cuda")
    assert capfd.readouterr() == ("", "")


def test_a_stream_on_a_gpu_equals_the_golden_answers(fp32):
    predictor = load(fp32, device="cuda")
    golden, stream = predictor.golden, predictor.stream()
    answers = [stream.step(sample) for sample in golden.x[0]]
    expected = golden.file[0] if predictor.contract.every_step else golden.file[0][np.newaxis]
    np.testing.assert_allclose(answers[-len(expected) :], expected, rtol=0, atol=max(golden.tolerance["pypi"]))


@pytest.mark.parametrize("rows", [1, 2, 64, 4096])
def test_a_batch_on_a_gpu_equals_the_cpu(fp32, rows):
    x = np.random.default_rng(rows).normal(330, 10, (rows, 24, 1)).astype(np.float32)
    on_gpu, on_cpu = (load(fp32, device=device).predict(x) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(on_gpu, on_cpu, rtol=0, atol=3e-3)


def test_auto_times_the_gpu_beside_the_cpu(fp32, monkeypatch):
    monkeypatch.delenv("EDGELSTM_DEVICE", raising=False)
    choice = load(fp32, device="auto").choice
    assert {"cpu", "cuda"} <= choice.golden_us.keys(), choice
    assert choice.device in choice.golden_us
