"""Torch modules as people write them, and the files they become."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import nn

from edgelstm import load
from edgelstm.export import export_run, from_torch
from edgelstm.importers import read_torch, write_imported

torch.set_num_threads(1)

WINDOW = 6


class Network(nn.Module):
    """Any layers, and a forward written as one function of them."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.written = forward
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, *arguments):
        return self.written(self, *arguments)


def lstm(*sizes, batch_first=True, **options):
    return nn.LSTM(*sizes, batch_first=batch_first, **options)


def forecaster(forward=lambda m, x: m.head(m.lstm(x)[0][:, -1]), hidden=5, outputs=2, **options):
    """An LSTM over three channels and a linear layer, put together by `forward`."""
    torch.manual_seed(0)
    width = (options.get("proj_size") or hidden) * (2 if options.get("bidirectional") else 1)
    return Network(forward, lstm=lstm(3, hidden, **options), head=nn.Linear(width, outputs))


def carried_module():
    """LSTMs of one layer and of three, a linear layer at every step: the network of rtneural/lstm_torch.json."""
    torch.manual_seed(3)

    def forward(m, x):
        return m.dense(m.lstm2(m.lstm(x)[0])[0])

    return Network(forward, lstm=lstm(1, 4), lstm2=lstm(4, 4, num_layers=3), dense=nn.Linear(4, 1))


def draw(rows, steps=WINDOW, features=3, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, steps, features)).astype(np.float32)


def kinds(found):
    """The layers that were found, by their kinds; None of a graph."""
    return None if found.network is None else [layer.kind for layer in found.network.layers]


def exported(module, folder, precisions=(), **options):
    """Import and export a module; give what was found and the fp32 file, loaded."""
    found = from_torch(module, folder / "run", **{"window": WINDOW, **options})
    return found, exported_run(folder, precisions=precisions)


def import_weights(path, folder, **options):
    """Read weights whose names tell their network into a run directory."""
    return write_imported(read_torch(path, **options), folder)


def exported_run(folder, **options):
    """Export a run that lies in a folder; give the fp32 file, loaded."""
    return load(export_run(folder / "run", folder / "files", **options).files[0].path)


def answer(module, *arguments):
    """What the module itself answers, in evaluation mode; it is left in the mode it was in."""
    mode = module.training
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has no fast kernel for projections, and says so once
        y = module.eval()(*(torch.from_numpy(a) for a in arguments))
    module.train(mode)
    return (y[0] if isinstance(y, tuple) else y).numpy()


def assert_same(file, module, batches=(1, 7), steps=WINDOW):
    """The file, at several batches, answers as the module does."""
    for rows in batches:
        x = draw(rows, steps, len(file.contract.inputs), seed=rows)
        y = file.predict(x)
        np.testing.assert_allclose(y, answer(module, x).reshape(y.shape), atol=2e-6)
