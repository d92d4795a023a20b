"""Keras files written by hand with h5py and zipfile, byte for byte as one likes; neither Keras nor TensorFlow.

The layouts of Keras 2 are those of its `hdf5_format.py` (`model_config` and `keras_version` as attributes of the file,
`layer_names` of `model_weights`, `weight_names` of each layer's group), and of `saving_lib.py` in 2.13 to 2.15
(`_layer_checkpoint_dependencies`).
"""

from __future__ import annotations

import io
import json
import zipfile

import h5py
import numpy as np

UNITS, CHANNELS, STEPS = 4, 2, 5


def arrays(seed=0, inputs=CHANNELS, units=UNITS, outputs=1):
    """Kernel, recurrent kernel and bias of an LSTM, and kernel and bias of a Dense, gates i f c o."""
    rng = np.random.default_rng(seed)
    sizes = [(inputs, 4 * units), (units, 4 * units), (4 * units,), (units, outputs), (outputs,)]
    return [rng.normal(size=size).astype(np.float32) for size in sizes]


def lstm(name="lstm", **changes):
    config = {
        "name": name,
        "trainable": True,
        "dtype": "float32",
        "return_sequences": False,
        "return_state": False,
        "go_backwards": False,
        "stateful": False,
        "unroll": False,
        "units": UNITS,
        "activation": "tanh",
        "recurrent_activation": "sigmoid",
        "use_bias": True,
        "unit_forget_bias": True,
    }
    return {"class_name": "LSTM", "config": {**config, **changes}}


def dense(name="dense", **changes):
    config = {"name": name, "dtype": "float32", "units": 1, "activation": "linear", "use_bias": True}
    return {"class_name": "Dense", "config": {**config, **changes}}


def input_layer(shape=(None, STEPS, CHANNELS), key="batch_shape", **changes):
    config = {key: list(shape), "dtype": "float32", "name": "input_1"}
    return {"class_name": "InputLayer", "config": {**config, **changes}}


def sequential(*layers):
    return {"class_name": "Sequential", "config": {"name": "sequential", "layers": list(layers)}}


def usual():
    """One LSTM and a Dense."""
    return sequential(input_layer(), lstm(), dense())


def usual_groups(values=None):
    """What lies in a .keras file, by path."""
    kernel, recurrent, bias, dense_kernel, dense_bias = values or arrays()
    return {
        "layers/lstm/cell/vars/0": kernel,
        "layers/lstm/cell/vars/1": recurrent,
        "layers/lstm/cell/vars/2": bias,
        "layers/dense/vars/0": dense_kernel,
        "layers/dense/vars/1": dense_bias,
    }


def hdf5(groups):
    """HDF5 bytes of arrays by path."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for path, value in groups.items():
            file[path] = value
    return buffer.getvalue()


def write_keras(path, config=None, groups=None, version="3.15.1", members=None):
    """Write a .keras zip; `members` replaces or adds what lies in it, None leaves a member out."""
    content = {
        "metadata.json": json.dumps({"keras_version": version}),
        "config.json": json.dumps(usual() if config is None else config),
        "model.weights.h5": hdf5(usual_groups() if groups is None else groups),
        **(members or {}),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in content.items():
            if value is not None:
                archive.writestr(name, value)
    return path


def write_hdf5(path, config=None, weights=None, version="2.15.0"):
    """Write a whole model as Keras 2 did: `weights` has for each layer its arrays by their names, in order."""
    kernel, recurrent, bias, dense_kernel, dense_bias = arrays()
    usual_weights = {
        "lstm": {
            "lstm/lstm_cell/kernel:0": kernel,
            "lstm/lstm_cell/recurrent_kernel:0": recurrent,
            "lstm/lstm_cell/bias:0": bias,
        },
        "dense": {"dense/kernel:0": dense_kernel, "dense/bias:0": dense_bias},
    }
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps(usual() if config is None else config)
        group = file.create_group("model_weights")
        weights = usual_weights if weights is None else weights
        group.attrs["layer_names"] = [name.encode() for name in weights]
        for layer, named in weights.items():
            own = group.create_group(layer)
            own.attrs["weight_names"] = [name.encode() for name in named]
            for name, value in named.items():
                own[name] = value
    return path


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_in_keras_layout(x, kernel, recurrent, bias, gate=sigmoid, cell=np.tanh):
    """Keras' LSTMCell in float64: the last h for x [B, T, F]; gates i f c o."""
    h = c = np.zeros((len(x), len(recurrent)))
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t].astype(np.float64) @ kernel + h @ recurrent + bias, 4, axis=1)
        c = gate(f) * c + gate(i) * cell(g)
        h = gate(o) * cell(c)
    return h
