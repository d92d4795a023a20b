"""Weights files that are wrong, or that try something: one clear error, nothing executed, nothing written."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save

from edgelstm.errors import NetworkError
from edgelstm.export import from_torch
from tests.importers.torch_modules import WINDOW, forecaster, import_weights


class Trap:
    """Opens a file for writing when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def saved(value):
    content = io.BytesIO()
    torch.save(value, content)
    return content.getvalue()


def changed(name, change):
    state = {key: tensor.clone() for key, tensor in forecaster().state_dict().items()}
    if change is None:
        del state[name]
    else:
        state[name] = change(state[name]) if name in state else change(torch.zeros(1))
    return state


def with_nan(tensor):
    tensor.view(-1)[-1] = float("nan")
    return tensor


def truncated(content):
    return content[: len(content) // 2]


def without_its_pickle(content):
    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(kept, "w") as new:
        for entry in old.namelist():
            if not entry.endswith("data.pkl"):
                new.writestr(entry, old.read(entry))
    return kept.getvalue()


UNFIT = {
    "a missing tensor": ("w.pt", lambda _: saved(changed("head.bias", None)), "the file lacks the tensor 'head.bias'"),
    "one tensor too many": (
        "w.pt",
        lambda _: saved(changed("head.extra", lambda t: t)),
        "the file has the tensor 'head.extra'",
    ),
    "another shape": (
        "w.pt",
        lambda _: saved(changed("head.weight", lambda t: t[:, :2])),
        "expected shape [2, 5], got [2, 2]",
    ),
    "NaN": ("w.pt", lambda _: saved(changed("lstm.weight_hh_l0", with_nan)), "lstm.weight_hh_l0 contains NaN"),
    "infinity in safetensors": (
        "w.safetensors",
        lambda _: save(changed("lstm.bias_ih_l0", lambda t: t / 0)),
        "lstm.bias_ih_l0 contains NaN",
    ),
}

FILES = {
    "NaN in JSON": ("w.json", lambda _: b'{"head.weight": [[NaN]]}', "not valid JSON"),
    "a pickle": ("w.pkl", lambda _: pickle.dumps([1.0], protocol=4), "refuses this file"),  # torch warns of it as well
    "a trap in a pickle": ("w.pkl", lambda path: pickle.dumps(Trap(path)), "refuses this file"),
    "a trap in a torch file": ("w.pt", lambda path: saved({"head.weight": Trap(path)}), "it would import"),
    "a trap in an old torch file": (
        "w.pt",
        lambda path: saved_as_of_old({"head.weight": Trap(path)}),
        "refuses this file",
    ),
    "a whole module": (
        "w.pt",
        lambda _: saved(torch.nn.Linear(2, 2)),
        "it would import torch.nn.modules.linear.Linear",
    ),
    "half a torch file": ("w.pt", lambda _: truncated(saved(forecaster().state_dict())), "refuses this file"),
    "a torch file without its pickle": (
        "w.pt",
        lambda _: without_its_pickle(saved(forecaster().state_dict())),
        "refuses this file",
    ),
    "half a safetensors file": (
        "w.safetensors",
        lambda _: truncated(save(forecaster().state_dict())),
        "not a safetensors file",
    ),
    "an empty file": ("w.pt", lambda _: b"", "refuses this file"),
    "text": ("w.pth", lambda _: b"these are no weights", "refuses this file"),
    "a list": ("w.pt", lambda _: saved([1, 2]), "expected a state dict, got list"),
    "numbers for tensors": ("w.pt", lambda _: saved({"epoch": 3}), "'epoch' is not a tensor"),
    "JSON of something else": ("w.json", lambda _: b"[1, 2]", "expected a state dict"),
    "a ragged tensor in JSON": (
        "w.json",
        lambda _: b'{"a.weight": [[1, 2], [3]]}',
        "'a.weight' is not a list of numbers",
    ),
    "words in JSON": ("w.json", lambda _: b'{"a.weight": ["x"]}', "'a.weight' is not a list of numbers"),
    "a tensor twice in JSON": ("w.json", lambda _: b'{"a": [1], "a": [2]}', "not valid JSON"),
    "bytes for JSON": ("w.json", lambda _: b"\xff\xfe", "not valid JSON"),
}


def saved_as_of_old(value):
    content = io.BytesIO()
    torch.save(value, content, _use_new_zipfile_serialization=False)
    return content.getvalue()


def module_takes(path, folder):
    from_torch(forecaster(), folder / "run", window=WINDOW, weights=path)


def names_tell(path, folder):
    import_weights(path, folder / "run", window=WINDOW)


@pytest.mark.parametrize("case", UNFIT, ids=lambda case: case.replace(" ", "-"))
def test_weights_that_do_not_fit_the_module_are_refused(case, tmp_path):
    assert_refused(UNFIT[case], module_takes, tmp_path)


@pytest.mark.parametrize("read", [module_takes, names_tell])
@pytest.mark.parametrize("case", FILES, ids=lambda case: case.replace(" ", "-"))
def test_a_file_that_is_no_weights_file_is_refused(case, read, tmp_path):
    assert_refused(FILES[case], read, tmp_path)


def assert_refused(case, read, folder):
    """One clear error; the file lies there alone, nothing was executed and nothing written."""
    name, make, expected = case
    path = folder / name
    path.write_bytes(make(folder / "executed"))
    with pytest.raises(NetworkError) as caught:
        read(path, folder)
    assert expected in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert [p.name for p in folder.iterdir()] == [name]


def test_the_trap_would_have_sprung(tmp_path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "executed"))).close()
    assert (tmp_path / "executed").exists()


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(NetworkError, match="cannot be read: No such file"):
        from_torch(forecaster(), tmp_path / "run", window=WINDOW, weights=tmp_path / "none.pt")


def test_a_module_with_nan_is_refused_by_its_tensor(tmp_path):
    module = forecaster()
    with torch.no_grad():
        module.lstm.bias_hh_l0[3] = np.nan
    with pytest.raises(NetworkError, match=r"lstm\.bias_hh_l0: contains NaN"):
        from_torch(module, tmp_path / "run", window=WINDOW)
    assert not (tmp_path / "run").exists()
