import os
import platform
from importlib import metadata
from pathlib import Path

import numpy as np

import edgelstm
from edgelstm.bench import machine


def test_the_machine_names_its_parts():
    found = machine.describe_machine()
    assert found.cpu
    assert found.cores == os.cpu_count()
    assert found.architecture == platform.machine()
    assert found.python == platform.python_version()
    assert found.versions["edgelstm"] == edgelstm.__version__
    assert found.versions["numpy"] == np.__version__


def test_a_package_that_is_not_installed_is_left_out(monkeypatch):
    def version(package):
        if package == "onnxruntime":
            raise metadata.PackageNotFoundError(package)
        return "1.2.3"

    monkeypatch.setattr(metadata, "version", version)
    assert "onnxruntime" not in machine.describe_machine().versions
    assert machine.describe_machine().versions["onnxruntime-gpu"] == "1.2.3"


def test_a_board_says_its_own_name(tmp_path, monkeypatch):
    board = tmp_path / "model"
    board.write_bytes(b"Raspberry Pi 4 Model B Rev 1.5\0")
    monkeypatch.setattr(machine, "_MODEL_FILES", (tmp_path / "none", board))
    assert machine.describe_machine().cpu == "Raspberry Pi 4 Model B Rev 1.5"


def test_a_system_without_proc_still_gives_a_name_and_no_memory(monkeypatch):
    def refuse(self, *arguments, **options):
        raise FileNotFoundError(self)

    monkeypatch.setattr(machine, "_MODEL_FILES", ())
    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert machine._cpu_name() == platform.machine()
    assert machine.resident_mib() is None


def test_memory_that_is_taken_is_told():
    before = machine.resident_mib()
    taken = np.ones(64 * 2**17)  # 64 MiB
    grown = machine.resident_mib() - before
    assert taken[-1] == 1
    assert grown > 48
