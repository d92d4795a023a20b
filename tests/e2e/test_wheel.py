"""The wheel, alone with numpy and onnxruntime, as on a device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from edgelstm import load
from tests.cli.trained import asking, trained_on
from tests.conftest import CO2_FILES, ROOT

# What `pip install onnxruntime` brings.
DEVICE_PACKAGES = ("numpy", "onnxruntime", "flatbuffers", "packaging", "protobuf")
FORBIDDEN = ("torch", "onnx", "typer", "polars", "lightning_fabric", "pydantic", "safetensors", "matplotlib", "rich")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", folder, ROOT], check=True)
    return next(folder.glob("edgelstm-*.whl"))


@pytest.fixture(scope="module")
def device(wheel, tmp_path_factory):
    """A folder of packages that holds the wheel, and links to what onnxruntime's own install would bring."""
    site = tmp_path_factory.mktemp("device")
    zipfile.ZipFile(wheel).extractall(site)
    for package in DEVICE_PACKAGES:
        for file in metadata.files(package) or ():
            top = Path(file.parts[0])
            source = Path(str(metadata.distribution(package).locate_file(top)))
            if top.name not in ("..", "bin") and not (site / top).exists():
                os.symlink(source, site / top)

    def run(code, **environment):
        bare = f"import sys; sys.path.append({str(site)!r})\n{code}"
        command = [sys.executable, "-I", "-S", "-c", bare]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})

    return run


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(["git", "ls-files", "edgelstm"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert names == set(tracked.stdout.split())
    assert {
        "edgelstm/py.typed",
        "edgelstm/FORMAT.md",
        "edgelstm/data/co2/co2.csv",
        "edgelstm/data/co2/recipe.toml",
    } <= names


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_wheel_predicts_with_numpy_and_onnxruntime_alone(device, precision):
    path = CO2_FILES / f"co2.{precision}.onnx"
    process = device(
        "import edgelstm, json\n"
        f"predictor = edgelstm.load({str(path)!r})\n"
        "print(json.dumps(predictor.predict(predictor.golden.x[0]).ravel().tolist()))"
    )
    assert process.returncode == 0, process.stderr
    predictor = load(path)
    np.testing.assert_array_equal(json.loads(process.stdout), predictor.predict(predictor.golden.x[0]).ravel().tolist())


def test_the_wheel_reads_the_table_of_a_logger_as_training_did_with_numpy_and_onnxruntime_alone(device, tmp_path):
    table = tmp_path / "table.csv"
    rows = [
        f"{30 - i:02}.01.2024 12:00;3{i},5;{'NW' if i % 2 else 'SE'}" for i in range(20)
    ]  # decimal commas, backwards
    table.write_text("\n".join(["day;heat;wind", *rows, ""]))
    asked = asking(["heat", "wind"], time="day", time_zone="Europe/Berlin")
    predictor, _ = trained_on(table, tmp_path / "net.onnx", asked)
    process = device(
        "import edgelstm, json\n"
        "from edgelstm.data.asked import read_for\n"
        f"predictor = edgelstm.load({str(tmp_path / 'net.onnx')!r})\n"
        f"(series,) = read_for(predictor.contract, {str(table)!r}, {{}}).series\n"
        "answer = predictor.predict(series.values[-predictor.contract.window :])\n"
        "print(json.dumps([series.names, series.values[-1].tolist(), str(series.time[-1]), answer.ravel().tolist()]))"
    )
    assert process.returncode == 0, process.stderr
    names, last, time, answer = json.loads(process.stdout)
    assert (names, last) == (["heat", "wind=NW", "wind=SE"], [30.5, 0.0, 1.0])
    assert time == "2024-01-30T11:00:00.000000"
    x = [[30.5 + i, float(i % 2), float(i % 2 == 0)] for i in range(3, -1, -1)]
    np.testing.assert_array_equal(answer, predictor.predict(x).ravel().tolist())


def test_what_a_device_lacks_is_named_with_the_install_that_mends_it(device):
    for package, extra in (("train", "train"), ("export", "export")):
        process = device(f"import edgelstm.{package}")
        assert "MissingDependencyError: this needs" in process.stderr
        assert f"pip install 'edgelstm[{extra}]'" in process.stderr


def test_the_runtime_brings_in_no_heavy_package(device):
    process = device("import edgelstm.runtime; print(*sys.modules)")
    assert process.returncode == 0, process.stderr
    assert not {name.split(".")[0] for name in process.stdout.split()} & set(FORBIDDEN)


def test_the_doctor_examines_a_device_with_numpy_and_onnxruntime_alone(device):
    process = device(
        f"from edgelstm.doctor import examine\nreport = examine({str(CO2_FILES / 'co2.int8.onnx')!r})\n"
        "print(report.healthy, report.findings[-1].found)",
        ORT_DISABLE_TELEMETRY="1",
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("True co2.int8.onnx: 5 golden windows")
