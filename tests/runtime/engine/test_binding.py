"""The call straight into the extension module, and the public one where that is not to be had."""

import numpy as np
import onnxruntime
import pytest

from edgelstm.runtime.streams import stream


class PublicOnly:
    """A session of an onnxruntime that has hidden what the quick call goes to."""

    def __init__(self, session, hide):
        self.calls = 0
        self.session = session
        self.hide = hide
        self.get_providers = session.get_providers
        if hide == "_iobinding":
            self._sess = session._sess

    def io_binding(self):
        binding = self.session.io_binding()
        if self.hide == "_sess":
            return binding
        hidden = type("Hidden", (), {})()
        hidden.bind_ortvalue_input = binding.bind_ortvalue_input
        hidden.bind_ortvalue_output = binding.bind_ortvalue_output
        hidden.binding = binding
        return hidden

    def run_with_iobinding(self, binding):
        self.calls += 1
        self.session.run_with_iobinding(getattr(binding, "binding", binding))


@pytest.mark.parametrize("hide", ["_sess", "_iobinding"])
def test_without_the_private_call_a_stream_takes_the_public_one(carried, hide):
    session = PublicOnly(carried._session, hide)
    x = np.random.default_rng(0).normal(330, 10, (30, 1)).astype(np.float32)
    public, quick = stream.Stream(session, carried.contract, 1), carried.stream()
    assert [public.step(row).tobytes() for row in x] == [quick.step(row).tobytes() for row in x]
    assert session.calls == 30


def test_this_onnxruntime_has_the_private_call(carried):
    """Fails when a new onnxruntime moves it: decision 0015 says what to do."""
    assert carried.stream()._runs[0].func == carried._session._sess.run_with_iobinding
    assert isinstance(carried.stream()._runs[0].args[1], onnxruntime.RunOptions)


class CopiesWhatIsBound:
    """A session on a GPU: what is bound is copied there when it is bound, and never looked at again."""

    def __init__(self, session):
        self._sess = session._sess
        self.run = session.run
        self.io_binding = session.io_binding
        self.run_with_iobinding = session.run_with_iobinding
        self.get_providers = lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]


@pytest.mark.parametrize("state", ["window", "carried"])
def test_a_stream_hands_a_gpu_its_samples_at_every_step(request, state, monkeypatch):
    predictor = request.getfixturevalue(state)
    x = np.random.default_rng(0).normal(330, 10, (30, 2, 1)).astype(np.float32)
    here = predictor.stream(2)
    expected = [here.step(row).tobytes() for row in x]
    from_numpy, copies = onnxruntime.OrtValue.ortvalue_from_numpy, []

    def copy_to_the_gpu(array):
        copies.append(array.copy())  # whose memory must live
        return from_numpy(copies[-1])

    monkeypatch.setattr(onnxruntime.OrtValue, "ortvalue_from_numpy", copy_to_the_gpu)
    there = stream.Stream(CopiesWhatIsBound(predictor._session), predictor.contract, 2)
    assert [there.step(row).tobytes() for row in x] == expected
