"""Who has no torch imports what needs none, and is told in a line what to install for the rest."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import edgelstm.export
import edgelstm.importers
from edgelstm.importers.torch.module import from_torch
from tests.conftest import ROOT
from tests.importers.test_torch_weights import written
from tests.importers.torch_modules import carried_module

MISSING = "this needs torch, which is not installed: pip install 'edgelstm[train]'"
HIDDEN = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.modules['torch'] = None\n"


def without_torch(code, *arguments):
    command = [sys.executable, "-c", HIDDEN + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("file", ["w.json", "w.safetensors"])
def test_bare_weights_are_imported(file, tmp_path):
    path = written(carried_module(), tmp_path / file)
    code = "from edgelstm.importers import read_torch, write_imported\n"
    code += "write_imported(read_torch(sys.argv[1], window=4, state='carried'), sys.argv[2])"
    process = without_torch(code, path, tmp_path / "run")
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize("package", ["edgelstm.export", "edgelstm.importers"])
def test_asking_for_what_takes_a_module_says_what_to_install(package):
    process = without_torch(f"from {package} import from_torch")
    assert process.stderr.splitlines()[-1] == f"edgelstm.errors.MissingDependencyError: {MISSING}"


def test_the_command_line_says_for_a_file_that_torch_saved_what_to_install(tmp_path):
    torch.save(carried_module().state_dict(), tmp_path / "w.pt")
    code = "from edgelstm.cli import main; sys.argv[0] = 'edgelstm'; main()"
    process = without_torch(code, "import", "torch", tmp_path / "w.pt", "--window", 4, "-o", tmp_path / "run")
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == f"edgelstm: {MISSING}\n"


@pytest.mark.parametrize("package", [edgelstm.export, edgelstm.importers])
def test_what_is_opened_when_asked_for_is_the_room_s_own(package):
    assert package.from_torch is from_torch
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'from_jax'"):
        package.from_jax  # noqa: B018
