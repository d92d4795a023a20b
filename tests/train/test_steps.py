"""Each option of the optimizer, by its number: the weights and losses of a training are those of the same by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.train.by_hand import X, Y, cosine, error, fit_plainly, losses, one_cycle, steps_of, weights_of

pytestmark = pytest.mark.usefixtures("no_report")

ROWS, EPOCHS = len(X), 3


def absolute(w):
    return error(w).abs().mean()


def huber(w):
    size = error(w).abs()
    return torch.where(size < 1, size**2 / 2, size - 0.5).mean()


def by_hand(w, rate, *, schedule="constant", batch=2, drawn=ROWS, epochs=EPOCHS, momentum=0.9, **how):
    """The weights and the loss before each step and behind the last."""
    steps = epochs * math.ceil(drawn / batch)
    rates, momenta = {"constant": [rate] * steps, "cosine": cosine(rate, steps)}.get(schedule), [momentum] * steps
    if schedule == "one-cycle":
        cycle = one_cycle(rate, steps)
        rates, momenta = [one for one, _ in cycle], [0.95 - 0.1 * share for _, share in cycle]
    return list(steps_of(w, rates, momenta, **how))


def assert_close(found, expected, tolerance=2e-5):
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor, rtol=tolerance, atol=tolerance, err_msg=name)


SGD = {"optimizer": "sgd", "learning_rate": 0.2, "gradient_clip": 0}
ADAM = {"optimizer": "adam", "learning_rate": 0.1, "gradient_clip": 0}
ADAMW = {"learning_rate": 0.1, "gradient_clip": 0}
CASES = {
    "sgd has momentum 0.9": SGD,
    "sgd adds the decay to the gradient": {**SGD, "weight_decay": 0.3},
    "adam": ADAM,
    "adam adds the decay to the gradient": {**ADAM, "weight_decay": 0.3},
    "adamw": ADAMW,
    "adamw shrinks the weights": {**ADAMW, "weight_decay": 0.3},
    "the norm of the gradient is clipped": {**SGD, "gradient_clip": 0.25},
    "it is clipped at 1 where nobody says": {"optimizer": "sgd", "learning_rate": 0.2},
    "a cosine falls step by step": {**SGD, "schedule": "cosine"},
    "a cosine falls step by step for adamw": {**ADAMW, "schedule": "cosine"},
    "one cycle warms up for three tenths of the steps": {**SGD, "schedule": "one-cycle"},
    "one cycle of adamw": {**ADAMW, "schedule": "one-cycle"},
    "a batch has so many windows": {**SGD, "batch_size": 3, "schedule": "cosine"},
    "a batch has all of few windows": {**SGD, "batch_size": 99, "schedule": "cosine"},
    "an epoch draws so many windows": {**SGD, "epoch_windows": 3, "schedule": "one-cycle"},
    "an epoch goes over all windows once": {**SGD, "batch_size": 1, "epochs": 2, "schedule": "cosine"},
    "mae": {**SGD, "loss": "mae"},
    "huber": {**SGD, "loss": "huber"},
}


@pytest.mark.parametrize("name", CASES)
def test_the_weights_behind_the_last_step_are_those_of_the_formulas(start, tmp_path, name):
    options = {"batch_size": 2, "epochs": EPOCHS, **CASES[name]}
    fitted = fit_plainly(tmp_path / "run", **options)
    extra = {"loss": {"mae": absolute, "huber": huber}[options["loss"]]} if "loss" in options else {}
    batch, drawn = options["batch_size"], options.get("epoch_windows", ROWS)
    expected = by_hand(
        start,
        options["learning_rate"],
        schedule=options.get("schedule", "constant"),
        batch=batch,
        drawn=drawn,
        epochs=options["epochs"],
        optimizer=options.get("optimizer", "adamw"),
        decay=options.get("weight_decay", 0.0),
        clip=options.get("gradient_clip", 1.0),
        **extra,
    )
    assert_close(weights_of(fitted), expected[-1][0])
    rows = [min(batch, drawn - i) for i in range(0, drawn, batch)]  # of each batch of an epoch
    told = np.array([loss for _, loss in expected[:-1]]).reshape(-1, len(rows))
    assert [training for training, _ in losses(tmp_path / "run")] == pytest.approx(
        (told @ rows / drawn).tolist(), rel=1e-4
    )


def test_the_gradient_of_these_windows_is_longer_than_what_it_is_clipped_to(start):
    """Else the cases above would say nothing of clipping."""
    w = {name: tensor.clone().requires_grad_() for name, tensor in start.items()}
    (error(w) ** 2).mean().backward()
    norm = math.sqrt(sum((t.grad**2).sum().item() for n, t in w.items() if n.startswith(("lstm", "head"))))
    assert norm > 1.05


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_the_kept_weights_are_the_moving_average_of_those_of_each_step(start, tmp_path, decay):
    """The first as they are, then average = decay * average + (1 - decay) * weights; those are validated."""
    wanted = Y + np.float32(0.3)
    options = {**SGD, "learning_rate": 0.05, "batch_size": 2, "epochs": EPOCHS, "average": decay}
    fitted = fit_plainly(tmp_path / "run", validation=(X, wanted), **options)
    steps = by_hand(start, 0.05, optimizer="sgd", clip=0)[1:]
    average, behind = steps[0][0], []
    for step, (w, _) in enumerate(steps):
        average = {name: decay * average[name] + (1 - decay) * w[name] for name in w}
        if step % 3 == 2:
            behind.append(average)
    validated = [(error(w, X, wanted) ** 2).mean().item() for w in behind]
    assert [loss for _, loss in losses(tmp_path / "run")] == pytest.approx(validated, rel=1e-4)
    assert_close(weights_of(fitted), behind[int(np.argmin(validated))])


def test_the_epoch_that_is_kept_is_the_best_on_validation_and_its_weights_are_those_behind_it(start, tmp_path):
    """Validation asks for what lies on the way to the targets: the training passes it and goes on."""
    options = {**SGD, "learning_rate": 0.05, "batch_size": 5, "epochs": 12}
    steps = by_hand(start, 0.05, batch=5, epochs=12, optimizer="sgd", clip=0)[1:]
    on_the_way = steps[4][0]
    wanted = Y + (error(on_the_way) * on_the_way["output_scale"]).numpy().astype(np.float32)
    fitted = fit_plainly(tmp_path / "run", validation=(X, wanted), **options)
    assert len(losses(tmp_path / "run")) == 12
    assert fitted.run.record.best_epoch == 5
    assert_close(weights_of(fitted), on_the_way)


@pytest.mark.parametrize("patience", [1, 3])
def test_patience_counts_from_the_best_epoch(start, tmp_path, patience):
    options = {**SGD, "learning_rate": 0.05, "batch_size": 5, "epochs": 12, "patience": patience}
    steps = by_hand(start, 0.05, batch=5, epochs=12, optimizer="sgd", clip=0)[1:]
    on_the_way = steps[2][0]
    wanted = Y + (error(on_the_way) * on_the_way["output_scale"]).numpy().astype(np.float32)
    fitted = fit_plainly(tmp_path / "run", validation=(X, wanted), **options)
    assert (fitted.run.record.best_epoch, len(losses(tmp_path / "run"))) == (3, 3 + patience)
