"""Trainings by hand: an LSTM, its loss and each optimizer's step written out in float64, beside what `fit` leaves.

Notation: B batch, T steps, F inputs, H hidden size, K horizon, O outputs.
"""

from __future__ import annotations

import csv
import math

import numpy as np
import torch

from edgelstm.train import fit
from tests.train import plain

CONSTANTS = ("input_offset", "input_factor", "output_scale", "output_offset")
STILL = 1e-30  # a learning rate that moves nothing: the run then holds the weights that it began with

# Five windows that are all alike: each batch has the same gradient, in whatever order they come.
X = np.tile(np.array([[0.3, 2.0], [-0.7, 1.0], [0.9, -0.5]], np.float32), (5, 1, 1))
Y = np.tile(np.array([[14.0], [10.0]], np.float32), (5, 1, 1))


def fit_plainly(folder, x=X, y=Y, **options):
    """Train without a start and without rules; uniform weights, so that every weight has a gradient at once."""
    settings = {**plain.OPTIONS, "hidden_size": 2, "initialization": "uniform", "epochs": 1, "progress": False}
    try:
        return fit(x, y, folder, **{**settings, **options})
    except KeyboardInterrupt as error:  # nobody pressed a key, and it would end the test run
        raise AssertionError("the training gave up: no epoch was kept") from error


def weights_of(fitted):
    """Every tensor of a run in float64, by name."""
    return {name: torch.from_numpy(np.asarray(value, np.float64)) for name, value in fitted.run.weights.items()}


def first_weights(folder, **options):
    """The weights that a training begins with."""
    return weights_of(fit_plainly(folder, **{**options, "learning_rate": STILL, "epochs": 1}))


def losses(folder):
    """(training loss, validation loss) of each epoch as the run tells them, NaN without validation."""
    with open(folder / "loss.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [(float(row["training_loss"]), float(row["validation_loss"] or "nan")) for row in rows]


def lstm(w, x, layer=0, name="lstm"):
    """One layer: float64 [B, T, I] to h at every step [B, T, H]; PyTorch's gate order i f g o."""
    w_ih, w_hh, b_ih, b_hh = (w[f"{name}.{p}_l{layer}"] for p in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h = c = torch.zeros(len(x), w_hh.shape[1], dtype=torch.float64)
    steps = []
    for t in range(x.shape[1]):
        i, f, g, o = (x[:, t] @ w_ih.T + b_ih + h @ w_hh.T + b_hh).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        steps.append(h)
    return torch.stack(steps, 1)


def scaled(w, x):
    """What the layers see of windows in physical units."""
    return (torch.as_tensor(np.asarray(x, np.float64)) - w["input_offset"]) * w["input_factor"]


def answer(w, x, horizon=2):
    """Scaled windows [B, T, F] through one layer to scaled answers [B, K, O]."""
    z = lstm(w, x)[:, -1] @ w["head.weight"].T + w["head.bias"]
    return z.reshape(len(x), horizon, -1)


def error(w, x=X, y=Y):
    """How far the answers are off, in scaled units: [B, K, O]."""
    return (
        answer(w, scaled(w, x), y.shape[1])
        - (torch.as_tensor(y.astype(np.float64)) - w["output_offset"]) / w["output_scale"]
    )


def squared(w, x=X, y=Y):
    """The mean squared error in scaled units."""
    return (error(w, x, y) ** 2).mean()


def one_cycle(rate, steps, low=1 / 25, last=1e-4, warm_up=0.3):
    """The rate of each step and how far it is from its lowest to its highest, 0 to 1.

    Source: Smith and Topin 2018, "Super-Convergence", with cosines, as PyTorch documents `OneCycleLR`.
    """
    top, end, found = warm_up * steps - 1, steps - 1, []
    for step in range(steps):
        rising = step <= top
        share = (1 + math.cos(math.pi * (step / top if rising else (step - top) / (end - top)))) / 2
        share = 1 - share if rising else share
        foot = rate * low * (1 if rising else last)
        found.append((foot + (rate - foot) * share, share))
    return found


def cosine(rate, steps):
    """From the whole rate to nothing behind the last step; Loshchilov and Hutter 2017, "SGDR"."""
    return [rate * (1 + math.cos(math.pi * step / steps)) / 2 for step in range(steps)]


def steps_of(w, rates, momenta, *, optimizer="adamw", decay=0.0, clip=1.0, loss=squared):
    """Take steps by hand and yield, before each and after the last, all weights and the loss there.

    Source: Kingma and Ba 2015 (Adam), Loshchilov and Hutter 2019 (AdamW); sgd is v = momentum v + g, w -= rate v.
    """
    names = [name for name in w if name not in CONSTANTS]
    w = {name: tensor.clone() for name, tensor in w.items()}
    first = {name: torch.zeros_like(w[name]) for name in names}
    second = {name: torch.zeros_like(w[name]) for name in names}
    unbiased = 1.0
    for step, (rate, momentum) in enumerate(zip(rates, momenta, strict=True), start=1):
        leaves = {name: tensor.clone().requires_grad_(name in names) for name, tensor in w.items()}
        value = loss(leaves)
        yield w, value.item()
        gradients = torch.autograd.grad(value, [leaves[name] for name in names])
        norm = math.sqrt(sum((g**2).sum().item() for g in gradients))
        factor = clip / norm if clip and norm > clip else 1.0
        w, unbiased = dict(w), momentum**step  # as PyTorch does, also where the momentum changes
        for name, gradient in zip(names, gradients, strict=True):
            g = gradient * factor
            if optimizer == "adamw":
                w[name] = w[name] * (1 - rate * decay)
            else:
                g = g + decay * w[name]
            if optimizer == "sgd":
                first[name] = momentum * first[name] + g
                w[name] = w[name] - rate * first[name]
                continue
            first[name] = momentum * first[name] + (1 - momentum) * g
            second[name] = 0.999 * second[name] + 0.001 * g**2
            root = torch.sqrt(second[name] / (1 - 0.999**step)) + 1e-8
            w[name] = w[name] - rate * (first[name] / (1 - unbiased)) / root
    yield w, loss(w).item()
