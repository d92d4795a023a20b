"""Devices: never a silent fallback, and a refusal that says what is wrong and what to install."""

from __future__ import annotations

from itertools import count

import numpy as np
import onnxruntime
import pytest

from edgelstm.errors import InputError, ModelFileError, ProviderError
from edgelstm.host import BUILDS, installed_builds
from edgelstm.runtime import Predictor, load, read_model_file
from edgelstm.runtime.choice import choose
from edgelstm.runtime.engine.providers import Found, did_not_start, left_on_cpu, look, not_built_in
from edgelstm.runtime.engine.session import Settings, create_session

CPU_BUILD = Found("1.32.0", {"onnxruntime": "1.32.0"}, None)
GPU_BUILD = Found("1.31.1", {"onnxruntime-gpu": "1.31.1"}, None, nodes=("/dev/nvidia0",), cuda="13.0")
AZURE = "AzureExecutionProvider"  # in the CPU wheels, and runs no node


@pytest.mark.parametrize("device", ["tpu", "CPU", "", "cuda:0", None, ["cpu"]])
def test_an_unknown_device_is_refused(window_files, device):
    with pytest.raises(InputError, match="device: expected one of cpu, cuda, tensorrt, auto, or an execution provider"):
        load(window_files.fp32, device=device)


def test_a_device_may_be_called_by_its_provider(window_files):
    assert load(window_files.fp32, "CPUExecutionProvider").device == "cpu"


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this build has CUDA")
@pytest.mark.parametrize("device", ["cuda", "tensorrt", "CUDAExecutionProvider"])
def test_a_build_without_the_provider_is_an_error_that_names_the_package(window_files, device):
    with pytest.raises(ProviderError, match=r"the package is wrong: .* pip uninstall -y .* 'edgelstm\[gpu\]'"):
        load(window_files.fp32, device=device)


@pytest.mark.skipif(AZURE not in onnxruntime.get_available_providers(), reason="this build has no Azure provider")
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_nodes_that_would_be_left_on_the_cpu_are_named(window_files, precision, capfd):
    lstm = {"fp32": "LSTM", "int8": "DynamicQuantizeLSTM"}[precision]
    with pytest.raises(ProviderError, match=rf"it cannot run this network: .*\b{lstm}\b") as error:
        load(getattr(window_files, precision), device=AZURE)
    assert ("use the fp32 or fp16 file" in str(error.value)) == (precision == "int8")
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(AZURE not in onnxruntime.get_available_providers(), reason="this build has no Azure provider")
def test_a_graph_that_onnxruntime_refuses_is_the_files_fault_on_any_device():
    with pytest.raises(ModelFileError, match="refuses the graph"):
        create_session(b"no graph", Settings(AZURE))


def test_a_session_that_quietly_fell_back_is_an_error(window_files, monkeypatch):
    class FellBack:
        def __init__(self, *arguments, **options):
            self.get_providers = lambda: ["CPUExecutionProvider"]

    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr("onnxruntime.InferenceSession", FellBack)
    with pytest.raises(ProviderError, match=r"cuda was asked for, but the (driver|version) is wrong"):
        load(window_files.fp32, device="cuda")


@pytest.mark.parametrize(
    ("device", "options", "expected"),
    [
        ("cuda", {}, [("CUDAExecutionProvider", {"use_tf32": "0"})]),
        ("cuda", {"use_tf32": 1, "device_id": 1}, [("CUDAExecutionProvider", {"use_tf32": "1", "device_id": "1"})]),
        (
            "tensorrt",
            {"trt_fp16_enable": True},
            [("TensorrtExecutionProvider", {"trt_fp16_enable": "True"}), ("CUDAExecutionProvider", {"use_tf32": "0"})],
        ),
    ],
)
def test_a_gpu_computes_in_float32_unless_asked_otherwise(window_files, monkeypatch, device, options, expected):
    given = []

    class Started(onnxruntime.InferenceSession):
        def __init__(self, content, session_options, providers, enable_fallback):
            given.extend(providers)
            assert session_options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
            assert enable_fallback == 0
            session_options.add_session_config_entry("session.disable_cpu_ep_fallback", "0")
            super().__init__(content, session_options, providers=["CPUExecutionProvider"])

        def get_providers(self):
            return [name for name, _ in given]

    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [name for name, _ in expected])
    monkeypatch.setattr("onnxruntime.InferenceSession", Started)
    load(window_files.fp32, device=device, provider_options=options)
    assert given == expected


def test_two_packages_at_once_are_found_and_both_are_to_go(tmp_path, monkeypatch):
    for name in ("onnxruntime", "onnxruntime_gpu"):
        (tmp_path / f"{name}-1.99.0.dist-info").mkdir()
        (tmp_path / f"{name}-1.99.0.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: 1.99.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    builds = installed_builds()
    assert builds["onnxruntime"] == builds["onnxruntime-gpu"] == "1.99.0"
    message = not_built_in("cuda", look("CUDAExecutionProvider")._replace(jetpack=None))
    assert "the package is wrong: onnxruntime 1.99.0 and onnxruntime-gpu 1.99.0 are installed together" in message
    assert "pip uninstall -y onnxruntime onnxruntime-gpu; then pip install 'edgelstm[gpu]'" in message


@pytest.mark.parametrize(
    ("device", "found", "expected"),
    [
        ("cuda", CPU_BUILD, "pip uninstall -y onnxruntime; then pip install 'edgelstm[gpu]'"),
        ("cuda", CPU_BUILD._replace(builds={}), "was installed by the system or by hand, not by pip"),
        ("cuda", CPU_BUILD._replace(jetpack=6), "--index-url https://pypi.jetson-ai-lab.io/jp6/cu126"),
        ("OpenVINOExecutionProvider", CPU_BUILD, "pip install onnxruntime-openvino"),
        ("XnnpackExecutionProvider", CPU_BUILD, "no package on PyPI is known"),
    ],
)
def test_a_wrong_package_is_told_with_the_right_one(device, found, expected):
    message = not_built_in(device, found)
    assert message.startswith(f"{device} was asked for, but the package is wrong: ")
    assert expected in message


@pytest.mark.parametrize(
    ("device", "changes", "expected"),
    [
        ("cuda", {"nodes": (), "driver": "no libcuda"}, r"the driver is wrong: no NVIDIA GPU was found .*--gpus all"),
        ("tensorrt", {"nodes": ()}, r"the driver is wrong: no NVIDIA GPU was found"),
        ("cuda", {"nodes": (), "driver": "no libcuda", "jetpack": 6}, r"--runtime nvidia"),
        ("cuda", {"driver": "no libcuda"}, r"the driver is wrong: there is a GPU \(/dev/nvidia0\).*\(no libcuda\)"),
        (
            "cuda",
            {"library": "libcublasLt.so.13: cannot open shared object file"},
            r"the version is wrong: onnxruntime 1\.31\.1 \(for CUDA 13\.0\) cannot load libcublasLt\.so\.13.*"
            r"pip install 'onnxruntime-gpu\[cuda,cudnn\]==1\.31\.1'",
        ),
        ("tensorrt", {"library": "libnvinfer.so.10: cannot open"}, r"install the TensorRT that this build"),
        ("cuda", {"library": "libcudnn.so.9: cannot open", "jetpack": 6}, r"jp6/cu126"),
        ("cuda", {}, r"the version or an option is wrong: .*: CUDA failure 35; compare with .* nvidia-smi"),
        ("OpenVINOExecutionProvider", {"nodes": None}, r"onnxruntime 1\.31\.1 could not start it: CUDA failure 35"),
    ],
)
def test_a_provider_that_does_not_start_is_explained_by_what_was_found(device, changes, expected):
    from re import search

    message = did_not_start(device, GPU_BUILD._replace(**changes), "CUDA failure 35")
    assert search(expected, message), message


def test_an_onnxruntime_that_does_not_name_the_nodes_still_gives_its_reason():
    message = left_on_cpu("cuda", [], "nodes are assigned to the default CPU EP")
    assert "cannot run this network: nodes are assigned to the default CPU EP; " in message
    assert "use the fp32 or fp16 file" in message


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"provider_options": {"device_id": 0}}, "provider_options: the CPU takes none"),
        ({"provider_options": "device_id=0", "device": AZURE}, "provider_options: expected a dict"),
        ({"provider_options": {"device_id": 0}, "device": "auto"}, "got 'auto'; name the device"),
        ({"spinning": 1}, "spinning: expected True or False, got 1"),
        ({"arena": "off"}, "arena: expected True or False, got 'off'"),
        ({"threads": 0}, "threads: expected a whole number of at least 1"),
    ],
)
def test_options_that_nobody_would_read_are_refused(window_files, options, expected):
    with pytest.raises(InputError, match=expected):
        load(window_files.fp32, **options)


def test_auto_is_not_for_a_predictor_that_was_made_by_hand(window_files):
    with pytest.raises(InputError, match=r"got 'auto', which edgelstm\.load alone resolves"):
        Predictor(read_model_file(window_files.fp32), "auto")


@pytest.mark.parametrize("on", [False, True])
def test_spinning_and_the_arena_are_off_unless_asked_for(window_files, on):
    predictor = load(window_files.fp32, spinning=on, arena=on)
    options = predictor._session.get_session_options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == str(int(on))
    assert options.enable_cpu_mem_arena == on


class Slowed(Predictor):
    """A predictor that says that it runs elsewhere, and takes longer or answers something else there."""

    def __init__(self, model_file, device, wait_s=0.0, off=0.0):
        super().__init__(model_file, "cpu")
        self.device, self.wait_s, self.off = device, wait_s, off

    def predict(self, *given):
        import time

        time.sleep(self.wait_s)
        return super().predict(*given) + np.float32(self.off)


@pytest.fixture
def two_devices(window_files, monkeypatch):
    """Choose between the CPU and CUDA, which behave as told."""
    monkeypatch.delenv("EDGELSTM_DEVICE", raising=False)
    names = ["CUDAExecutionProvider", AZURE, "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: names)
    model_file = read_model_file(window_files.fp32)

    def choose_between(**behaviour):
        def open_on(device):
            if isinstance(behaviour[device], Exception):
                raise behaviour[device]
            return Slowed(model_file, device, **behaviour[device])

        return choose(open_on)

    return choose_between


@pytest.mark.parametrize(("slow", "fast"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_auto_takes_the_device_on_which_the_golden_windows_are_fastest(two_devices, slow, fast):
    predictor = two_devices(**{slow: {"wait_s": 0.004}, fast: {}})
    assert predictor.device == predictor.choice.device == fast
    assert predictor.choice.golden_us[fast] < predictor.choice.golden_us[slow]
    assert predictor.choice.reason.startswith(f"{fast}, by the time of one golden window: {fast}")


def test_auto_tells_times_in_microseconds(two_devices, monkeypatch):
    ticks = count(0, 7_000)  # ns, as if each look at the clock took 7 us
    monkeypatch.setattr("time.perf_counter_ns", lambda: next(ticks))
    predictor = two_devices(cpu={}, cuda={})
    assert predictor.choice.golden_us == {"cpu": 7.0, "cuda": 7.0}
    assert "cpu 7 us" in predictor.choice.reason


def test_auto_takes_no_device_that_computes_something_else(two_devices):
    predictor = two_devices(cpu={"wait_s": 0.002}, cuda={"off": 1.0})
    assert predictor.device == "cpu"
    assert "results differ from those at export by 1" in predictor.choice.refused["cuda"]


def test_auto_says_which_device_did_not_start_and_why(two_devices):
    predictor = two_devices(cpu={}, cuda=ProviderError("the driver is wrong"))
    assert predictor.choice.reason.endswith("; refused: cuda")
    assert predictor.choice.refused == {"cuda": "the driver is wrong"}


def test_auto_that_finds_no_device_at_all_is_an_error(two_devices):
    with pytest.raises(ProviderError, match="no device reproduces the golden vectors: a; b"):
        two_devices(cpu=ProviderError("a"), cuda=ProviderError("b"))


def test_a_little_faster_than_the_cpu_is_no_reason_to_leave_it():
    from edgelstm.runtime.choice import _fastest, _reason

    assert _fastest({"cpu": 100.0, "cuda": 95.0}) == "cpu"
    assert _fastest({"cpu": 100.0, "cuda": 80.0}) == "cuda"
    assert "differences below 1.1 times are ignored" in _reason("cpu", {"cpu": 100.0, "cuda": 95.0}, {})


def test_auto_on_a_carried_file_and_a_single_device_is_that_device(carried_files, monkeypatch):
    monkeypatch.delenv("EDGELSTM_DEVICE", raising=False)
    predictor = load(carried_files.fp32, device="auto")
    assert (predictor.device, predictor.choice.device) == ("cpu", "cpu")
    assert "the only device" in predictor.choice.reason
    assert load(carried_files.fp32).choice is None


def test_the_environment_pins_what_auto_would_choose_and_nothing_else(window_files, monkeypatch):
    monkeypatch.setenv("EDGELSTM_DEVICE", "cpu")
    assert load(window_files.fp32, device="auto").choice.reason == "set by EDGELSTM_DEVICE=cpu"
    monkeypatch.setenv("EDGELSTM_DEVICE", "tpu")
    assert load(window_files.fp32).device == "cpu"
    with pytest.raises(InputError, match="EDGELSTM_DEVICE=tpu: device: expected one of"):
        load(window_files.fp32, device="auto")
    monkeypatch.setenv("EDGELSTM_DEVICE", "auto")
    with pytest.raises(InputError, match="EDGELSTM_DEVICE: expected a device, got 'auto'"):
        load(window_files.fp32, device="auto")


def test_a_pinned_device_that_is_not_there_is_an_error_and_no_fallback(window_files, monkeypatch):
    monkeypatch.setenv("EDGELSTM_DEVICE", "QNNExecutionProvider")
    with pytest.raises(ProviderError, match=r"EDGELSTM_DEVICE=QNNExecutionProvider: .* pip install onnxruntime-qnn"):
        load(window_files.fp32, device="auto")


def test_every_package_that_is_looked_for_has_the_name_of_a_build():
    assert list(BUILDS) == sorted(BUILDS)
    assert set(installed_builds()) <= set(BUILDS)
