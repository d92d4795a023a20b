"""Files that try something: one line, exit status 2, nothing written, nothing run, nothing followed."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile

import h5py
import numpy as np
import pytest

from edgelstm.errors import NetworkError
from edgelstm.importers import read_keras
from edgelstm.importers.keras.chain import chain_of
from edgelstm.importers.keras.file import read_keras_file
from edgelstm.importers.keras.layers import translate
from tests.importers.keras_by_hand import (
    STEPS,
    arrays,
    dense,
    hdf5,
    input_layer,
    lstm,
    sequential,
    usual,
    usual_groups,
    write_hdf5,
    write_keras,
)


class Bomb:
    """Whoever unpickles this makes a folder."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def extra_member(path, name, **attributes):
    """A proper file with one more member, whatever it is called."""
    write_keras(path)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo(name)
        for key, value in attributes.items():
            setattr(info, key, value)
        archive.writestr(info, b"x")


def bomb(path):
    """A gibibyte of zeros in a megabyte."""
    write_keras(path, members={"config.json": None})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("config.json", "w") as file:
        for _ in range(64):
            file.write(bytes(2**20))


def lying_bomb(path):
    """It claims to be a few bytes when unpacked and is megabytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.0.0"}))
        archive.writestr("config.json", bytes(2**22))
        archive.writestr("model.weights.h5", hdf5(usual_groups()))
    path.write_bytes(content.getvalue().replace((2**22).to_bytes(4, "little"), (9).to_bytes(4, "little")))


def twice(path):
    write_keras(path)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", json.dumps(usual()))


def encrypted(path):
    write_keras(path)
    content = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = -1
        while (place := content.find(magic, place + 1)) >= 0:
            content[place + offset] |= 1
    path.write_bytes(content)


def external_link(path):
    """model_weights/lstm lies in another file, which h5py would open."""
    write_hdf5(path)
    write_hdf5(path.with_name("other.h5"))
    with h5py.File(path, "r+") as file:
        del file["model_weights/lstm"]
        file["model_weights/lstm"] = h5py.ExternalLink("other.h5", "model_weights/lstm")


def soft_link(path):
    write_hdf5(path)
    with h5py.File(path, "r+") as file:
        file.move("model_weights/lstm", "elsewhere")
        file["model_weights/lstm"] = h5py.SoftLink("/elsewhere")


def external_storage(path):
    """The kernel is read out of /etc/passwd."""
    write_hdf5(path)
    with h5py.File(path, "r+") as file:
        place = "model_weights/lstm/lstm/lstm_cell/kernel:0"
        shape = file[place].shape
        del file[place]
        file.create_dataset(place, shape, np.float32, external=[("/etc/passwd", 0, 4 * int(np.prod(shape)))])


def virtual_storage(path):
    write_hdf5(path)
    with h5py.File(path, "r+") as file:
        place = "model_weights/lstm/lstm/lstm_cell/kernel:0"
        layout = h5py.VirtualLayout(file[place].shape, np.float32)
        layout[:] = h5py.VirtualSource("other.h5", "kernel", file[place].shape)
        del file[place]
        file.create_virtual_dataset(place, layout)


def endless(path):
    """A group that holds itself."""
    content = io.BytesIO(hdf5(usual_groups()))
    with h5py.File(content, "r+") as file:
        file["layers/lstm/cell/again"] = file["layers/lstm"]
    write_keras(path, members={"model.weights.h5": content.getvalue()})


def claims_a_terabyte(path):
    content = io.BytesIO(hdf5(usual_groups()))
    with h5py.File(content, "r+") as file:
        del file["layers/lstm/cell/vars/0"]
        file.create_dataset("layers/lstm/cell/vars/0", (2**19, 2**19), np.float32, chunks=(64, 64))
    write_keras(path, members={"model.weights.h5": content.getvalue()})


def deadly(path):
    """One byte in the type of an attribute, and the HDF5 library ends the process that reads it."""
    content = write_hdf5(path).read_bytes()
    text = b"weight_names" + bytes(4) + b"\x19"
    assert content.count(text + b"\x01") == 2
    path.write_bytes(content.replace(text + b"\x01", text + b"\xff"))


def with_groups(**changes):
    """The usual file with other arrays; None leaves one out."""
    names = {"kernel": "layers/lstm/cell/vars/0", "bias": "layers/lstm/cell/vars/2", "dense": "layers/dense/vars/0"}

    def write(path):
        groups = usual_groups()
        for name, change in changes.items():
            value = change(groups.pop(names[name]))
            if value is not None:
                groups[names[name]] = value
        write_keras(path, groups=groups)

    return write


def with_layers(*layers):
    return lambda path: write_keras(path, sequential(input_layer(), *layers))


def with_nan(kernel):
    kernel[0, 0] = np.nan
    return kernel


LAMBDA = {
    "class_name": "Lambda",
    "config": {
        "name": "lambda",
        "function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}},
    },
}

FILES = {
    "nothing there": (lambda path: None, "file not found"),
    "a folder": (lambda path: path.mkdir(), "got a folder"),
    "an empty file": (lambda path: path.write_bytes(b""), "got 0"),
    "text": (lambda path: path.write_text("LSTM"), "got another kind"),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps(Bomb())), "got a pickle"),
    "a zip of nothing": (lambda path: zipfile.ZipFile(path, "w").close(), "got another kind"),
    "a truncated zip": (lambda path: path.write_bytes(write_keras(path).read_bytes()[:-200]), "damaged"),
    "a truncated HDF5": (lambda path: path.write_bytes(write_hdf5(path).read_bytes()[:-2000]), "damaged"),
    "damaged HDF5 in the zip": (
        lambda path: write_keras(path, members={"model.weights.h5": hdf5(usual_groups())[:900]}),
        "damaged",
    ),
    "no HDF5 in the zip": (lambda path: write_keras(path, members={"model.weights.h5": "weights"}), "damaged"),
    "an altered byte": (
        lambda path: path.write_bytes(write_keras(path).read_bytes().replace(b'"units": 4', b'"units": 5', 1)),
        "damaged: BadZipFile: Bad CRC-32",
    ),
    "a way up": (lambda path: extra_member(path, "../../evil.py"), "a path outside of it"),
    "an absolute path": (lambda path: extra_member(path, "/etc/cron.d/evil"), "a path outside of it"),
    "a Windows path": (lambda path: extra_member(path, "..\\evil.py"), "a path outside of it"),
    "a drive": (lambda path: extra_member(path, "C:evil.py"), "a path outside of it"),
    "a symlink": (lambda path: extra_member(path, "assets", external_attr=0o120777 << 16), "a path outside of it"),
    "a member twice": (twice, "twice"),
    "a zip bomb": (bomb, "when unpacked"),
    "a lying zip bomb": (lying_bomb, "config.json"),
    "an encrypted member": (encrypted, "is encrypted"),
    "too many members": (
        lambda path: write_keras(path, members={f"assets/{i}": "" for i in range(1001)}),
        "at most 1000 files",
    ),
    "no config": (lambda path: write_keras(path, members={"config.json": None}), "lacks config.json"),
    "no weights": (lambda path: write_keras(path, members={"model.weights.h5": None}), "lacks model.weights.h5"),
    "no metadata": (lambda path: write_keras(path, members={"metadata.json": None}), "lacks metadata.json"),
    "a config that is no JSON": (lambda path: write_keras(path, members={"config.json": "{"}), "does not parse"),
    "a config that is a list": (lambda path: write_keras(path, members={"config.json": "[]"}), "expected an object"),
    "a key twice": (
        lambda path: write_keras(path, members={"config.json": '{"class_name": "A", "class_name": "B"}'}),
        "occurs twice",
    ),
    "a nested config": (
        lambda path: write_keras(path, members={"config.json": '{"a":' * 100_000 + "1" + "}" * 100_000}),
        "does not parse",
    ),
    "an unknown version": (lambda path: write_keras(path, version="1.2.2"), "expected 2.x or 3.x, got '1.2.2'"),
    "no version": (lambda path: write_keras(path, members={"metadata.json": "{}"}), "got 'nothing'"),
    "a subclassed model": (lambda path: write_keras(path, {"class_name": "Mine", "config": {}}), "lists no layers"),
    "a model of no class": (
        lambda path: write_keras(path, {**usual(), "class_name": ["Sequential"]}),
        "expected a Sequential or Functional model",
    ),
    "no layers": (lambda path: write_keras(path, sequential()), "lists no layers"),
    "layers that are numbers": (lambda path: write_keras(path, sequential(1, 2)), "lists no layers"),
    "an input alone": (lambda path: write_keras(path, sequential(input_layer())), "at least one LSTM"),
    "a lambda": (with_layers(lstm(), dense(), LAMBDA), "'lambda' (Lambda): contains Python code, which is never run"),
    "an escape sequence as name": (with_layers(lstm("\x1b[2J"), dense()), "printable name"),
    "a name twice": (with_layers(lstm(), dense("lstm")), "got one name twice"),
    "units that are text": (with_layers(lstm(units="4"), dense()), "expected units as int, got '4'"),
    "units that are true": (with_layers(lstm(units=True), dense()), "expected units as int"),
    "too many units": (with_layers(lstm(units=2**40), dense()), "expected units from 1 to 1048576"),
    "negative units": (with_layers(lstm(units=-4), dense()), "expected units from 1 to 1048576"),
    "no units at all": (with_layers(lstm(units=0), dense()), "expected units from 1 to 1048576"),
    "other units": (with_layers(lstm(units=5), dense()), "kernel: expected shape [2, 20], got [2, 16]"),
    "a ragged input": (
        lambda path: write_keras(path, sequential(input_layer(ragged=True), lstm(), dense())),
        "expected plain windows as input",
    ),
    "no activation": (with_layers(lstm(activation={"a": 1}), dense()), "unknown activation {'a': 1}"),
    "an activation of somebody's": (
        with_layers(lstm(), dense(activation={"class_name": "function", "config": "tanh", "module": "os"})),
        "unknown activation {'class_name': 'function'",
    ),
    "time first": (with_layers(lstm(time_major=True), dense()), "time_major=True"),
    "an infinite input": (
        lambda path: write_keras(path, sequential(input_layer((None, STEPS, 2**40)), lstm(), dense())),
        "expected an input with sizes from 1 to",
    ),
    "another input": (
        lambda path: write_keras(path, sequential(input_layer((None, STEPS, 3)), lstm(), dense())),
        "'lstm' (LSTM): kernel: expected shape [3, 16], got [2, 16]",
    ),
    "a kernel that is missing": (with_groups(kernel=lambda a: None), "its weights lack 'cell/vars/0'"),
    "a bias that is missing": (with_groups(bias=lambda a: None), "expected 3 arrays of weights, got 2"),
    "a bias of another size": (with_groups(bias=lambda a: a[:-1]), "bias: expected shape [16], got [15]"),
    "NaN among the weights": (with_groups(kernel=with_nan), "'lstm' (LSTM): kernel: contains NaN or infinity"),
    "float64 weights": (with_groups(dense=lambda a: a.astype(np.float64)), "kernel: expected float32, got float64"),
    "float16 weights": (with_groups(dense=lambda a: a.astype(np.float16)), "kernel: expected float32, got float16"),
    "weights that are text": (with_groups(dense=lambda a: "weights"), "expected numbers, got object"),
    "weights of objects": (with_groups(dense=lambda a: np.array([b"a", b"b"])), "expected numbers"),
    "weights of another name": (
        lambda path: write_keras(path, groups={k.replace("lstm", "gru"): v for k, v in usual_groups().items()}),
        "its weights are missing",
    ),
    "weights that nobody knows": (
        lambda path: write_keras(path, groups={**usual_groups(), "layers/lstm/cell/more/0": arrays()[0]}),
        "its weights have an unknown array",
    ),
    "an external link": (external_link, "is a link to another place, which is not followed"),
    "a soft link": (soft_link, "is a link to another place, which is not followed"),
    "external storage": (external_storage, "in another file, which is not read"),
    "virtual storage": (virtual_storage, "in another file, which is not read"),
    "a group that holds itself": (endless, "nested deeper than 8"),
    "an array of a terabyte": (claims_a_terabyte, "is more than a file of this size can contain"),
    "HDF5 that kills its reader": (deadly, "crashed the process"),
    "weights alone": (lambda path: path.write_bytes(hdf5(usual_groups())), "got weights alone"),
    "HDF5 without weights": (lambda path: write_hdf5(path, weights={}), "its weights are missing"),
}


# Those that could end this process, or make it open another file, are left to the child process as in life.
IN_CHILD = ["a truncated HDF5", "an external link", "external storage", "HDF5 that kills its reader"]


@pytest.mark.parametrize("case", FILES, ids=lambda case: case.replace(" ", "-"))
def test_a_bad_file_costs_one_line(case, cli_here, tmp_path, request):
    if case not in IN_CHILD:
        request.getfixturevalue("no_child")
    make, expected = FILES[case]
    make(tmp_path / "bad.keras")
    before = sorted(os.listdir(tmp_path))
    process = cli_here("import", "keras", "bad.keras")
    assert process.returncode == 2, process.stdout
    assert len(process.stderr.splitlines()) == 1, process.stderr
    assert process.stderr.startswith("edgelstm: bad.keras: ")
    assert expected in process.stderr
    assert sorted(os.listdir(tmp_path)) == before


def graph(*layers, ends=("input_1", "dense")):
    """A functional model of the given (layer, inbound_nodes)."""
    entries = [{**layer, "name": layer["config"]["name"], "inbound_nodes": nodes} for layer, nodes in layers]
    config = {"name": "model", "layers": entries, "input_layers": [ends[0], 0, 0], "output_layers": [ends[1], 0, 0]}
    return {"class_name": "Functional", "config": config}


def tensor(name):
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}


def call(*arguments, **keywords):
    return [{"args": list(arguments), "kwargs": keywords}]


GRAPHS = {
    "a circle": [(input_layer(), []), (lstm(), call(tensor("dense"))), (dense(), call(tensor("lstm")))],
    "a layer behind itself": [(input_layer(), []), (lstm(), call(tensor("input_1"))), (dense(), call(tensor("dense")))],
    "nothing in front": [(input_layer(), []), (lstm(), []), (dense(), call(tensor("lstm")))],
    "an unknown source": [(input_layer(), []), (lstm(), call(tensor("who"))), (dense(), call(tensor("lstm")))],
    "no output": [(input_layer(), []), (lstm(), call(tensor("input_1")))],
    "a number as node": [(input_layer(), []), (lstm(), [1]), (dense(), call(tensor("lstm")))],
    "no nodes": [(input_layer(), []), (lstm(), None), (dense(), call(tensor("lstm")))],
    "a state from outside": [
        (input_layer(), []),
        (lstm(), call(tensor("input_1"), initial_state=tensor("input_1"))),
        (dense(), call(tensor("lstm"))),
    ],
    "a mask of nothing": [
        (input_layer(), []),
        (lstm(), call(tensor("input_1"), mask=[1, 2])),
        (dense(), call(tensor("lstm"))),
    ],
    "a layer on its own": [
        (input_layer(), []),
        (lstm(), call(tensor("input_1"))),
        (dense(), call(tensor("lstm"))),
        (dense("more"), call(tensor("lstm"))),
    ],
}


@pytest.mark.parametrize("case", GRAPHS, ids=lambda case: case.replace(" ", "-"))
def test_a_graph_that_is_no_chain_is_refused(case, tmp_path, no_child):
    with pytest.raises(NetworkError, match=r"bad\.keras: "):
        read_keras(write_keras(tmp_path / "bad.keras", graph(*GRAPHS[case])))


def test_a_graph_that_is_a_chain_is_read(tmp_path):
    layers = [(input_layer(), []), (lstm(), call(tensor("input_1"), mask=None)), (dense(), call(tensor("lstm")))]
    assert read_keras(write_keras(tmp_path / "good.keras", graph(*layers))).window == STEPS


@pytest.mark.parametrize("write", [write_keras, write_hdf5], ids=["zip", "HDF5"])
def test_a_file_damaged_anywhere_is_read_or_refused(write, tmp_path):
    """Any byte may be wrong; whatever h5py and zipfile make of it comes out as one kind of error."""
    rng = np.random.default_rng(1)
    whole = np.frombuffer(write(tmp_path / "whole").read_bytes(), np.uint8)
    refused = 0
    for _ in range(8):
        damaged = whole.copy()
        places = rng.integers(0, len(damaged), rng.integers(1, 200))
        damaged[places] = rng.integers(0, 256, len(places))
        (tmp_path / "damaged").write_bytes(damaged.tobytes())
        try:
            read_keras(tmp_path / "damaged")
        except NetworkError:
            refused += 1
    assert refused > 0


STRANGE = [None, True, -1, 0, 2**70, 1e308, "", "LSTM", "linear", [], [[]], [1, [2]], {}, {"class_name": "LSTM"}]


def places_in(value, place=()):
    """Every place inside nested lists and objects."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield (*place, key)
        if isinstance(inner, (dict, list)):
            yield from places_in(inner, (*place, key))


def models():
    """A functional model with a mask, and a chain with wrappers, each with its weights."""
    masking = {"class_name": "Masking", "config": {"name": "m", "mask_value": 0.0}}
    layers = [(input_layer(), []), (masking, call(tensor("input_1"))), (lstm(), call(tensor("m"), mask=None))]
    yield graph(*layers, (dense(), call(tensor("lstm")))), usual_groups()
    scaling = {"class_name": "Normalization", "config": {"name": "n", "axis": [-1], "mean": [1, 2], "variance": [1, 2]}}
    both = {"class_name": "Bidirectional", "config": {"name": "b", "merge_mode": "sum", "layer": lstm("f")}}
    each = {"class_name": "TimeDistributed", "config": {"name": "t", "layer": dense()}}
    many = {"class_name": "RepeatVector", "config": {"name": "r", "n": 3}}
    places = [f"layers/bidirectional/{side}_layer/cell/vars/{k}" for side in ("forward", "backward") for k in range(3)]
    kernel, bias = arrays()[3:]
    groups = {"layers/time_distributed/layer/vars/0": kernel, "layers/time_distributed/layer/vars/1": bias}
    groups |= dict(zip(places, arrays()[:3] * 2, strict=True))
    yield sequential(input_layer(), scaling, both, many, each), groups
    text = {"class_name": "Embedding", "config": {"name": "e", "input_dim": 3, "output_dim": 2, "mask_zero": True}}
    batch = {"class_name": "BatchNormalization", "config": {"name": "n", "axis": -1, "epsilon": 1e-3, "scale": False}}
    slope = {"class_name": "LeakyReLU", "config": {"name": "s", "alpha": 0.3}}
    groups = {**usual_groups(arrays(outputs=6)), "layers/embedding/vars/0": np.eye(3, 2, dtype=np.float32)}
    groups |= {f"layers/batch_normalization/vars/{k}": np.ones(4, np.float32) for k in range(3)}
    reshape = {"class_name": "Reshape", "config": {"name": "r", "target_shape": [3, 2]}}
    yield sequential(input_layer((None, STEPS)), text, lstm(), batch, slope, dense(units=6), reshape), groups


def altered(config, place, value):
    copy = inner = json.loads(json.dumps(config))
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return copy


def test_a_config_with_anything_anywhere_is_read_or_refused(tmp_path):
    refused, read = 0, 0
    for config, groups in models():
        file = read_keras_file(write_keras(tmp_path / "a.keras", config, groups))
        translate(chain_of(file), file.major)
        for place in places_in(config):
            for strange in STRANGE:
                try:
                    translate(chain_of(file._replace(model=altered(config, place, strange))), file.major)
                    read += 1
                except NetworkError:
                    refused += 1
    assert min(read, refused) > 100
