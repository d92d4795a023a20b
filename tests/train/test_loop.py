"""What the loop learns, counts and keeps, against the same by hand."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from edgelstm.data.scores.score import score
from edgelstm.errors import TrainingError
from edgelstm.recipe.file import check_recipe
from edgelstm.recipe.sections import TrainingRecipe
from edgelstm.train import answers as answering
from edgelstm.train import loop
from edgelstm.train.answers import network_answerer
from edgelstm.train.devices import Arithmetic, fabric_of
from edgelstm.train.feeding import chunks
from edgelstm.train.feeding.batches import Batch
from edgelstm.train.feeding.feed import feed_of
from edgelstm.train.interrupt import Interrupt
from edgelstm.train.loop import learn, look, run_loop, state_of, validate
from edgelstm.train.losses import losses_of, number_loss
from edgelstm.train.setup import make_network
from edgelstm.train.tasks import TASKS, Arrays
from tests.train import plain
from tests.train.shapes import make_carried

RNG = np.random.default_rng(3)
LENGTHS = (30, 12, 25, 7, 40, 18)


def series(channels):
    rng = np.random.default_rng(channels)
    return [rng.normal(size=(n, channels)).astype(np.float32).cumsum(0) for n in LENGTHS]


WINDOWS = RNG.normal(size=(50, 8, 2)).astype(np.float32)
AHEAD = WINDOWS[:, -3:, :1] + 0.1 * RNG.normal(size=(50, 3, 1)).astype(np.float32)
EVERY = np.roll(WINDOWS, 1, axis=1)[..., None, :1] * 2 + 3  # what came a step before
SERIES = series(2)
CLASSES = ["a", "b", "c", "a", "b", "c"]
STATES = [np.where(one[:, 0] > 0, "up", "down") for one in SERIES]
NUMBERS = [one.sum(1, keepdims=True) for one in SERIES]
KINDS = {
    "windows": ("forecast", WINDOWS, AHEAD, {}),
    "quantiles": ("forecast", WINDOWS, AHEAD, {"window": {"quantiles": [0.1, 0.5, 0.9]}}),
    "a carried forecast": ("forecast", WINDOWS, EVERY, {"network": {"state": "carried"}}),
    "sequences": ("classify", SERIES, CLASSES, {}),
    "classes at every step": ("label", SERIES, STATES, {"data": {"classes": True}}),
    "numbers at every step": ("label", SERIES, NUMBERS, {"data": {"cap": 2.0}}),
}


def problem_of(kind, dropout=0.0, **training):
    """A problem of a kind with a network for it, and how to train that."""
    task, x, y, options = KINDS[kind]
    content = {"task": task, "data": {"path": "", "targets": ["y"]}, "window": {}, "network": {}}
    content["network"] = {**plain.NETWORK, "hidden_size": 4, "dropout": dropout}
    content["window"] |= {} if task == "classify" else {"steps": 8}
    content["training"] = {
        **plain.TRAINING,
        "epochs": 3,
        "batch_size": 4,
        "threads": 1,
        "learning_rate": 0.03,
        **training,
    }
    for section, values in options.items():
        content[section] |= values
    recipe = check_recipe(content, "test")
    problem = TASKS[task].from_arrays(Arrays(x, y, (x, y), None, (), ()), recipe)
    return problem, make_network(problem, recipe).network, recipe.training


def train(kind, folder, **training):
    problem, network, training = problem_of(kind, **training)
    return problem, network, run_loop(network, problem, training, folder / "resume.ckpt", False)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_that_chooses_an_epoch_is_of_the_network_as_it_will_be_run(kind, tmp_path):
    """Windows from zero, series from their beginning to their end: what is scored is what was validated."""
    problem, network, trained = train(kind, tmp_path)
    assert trained.best_epoch == 1 + int(np.argmin([validation for _, validation in trained.history]))
    network.load_state_dict(trained.weights)
    scale = float(network.output_scale[0]) if problem.answer != "class" else 1.0
    outputs = tuple(channel._replace(cap=None) for channel in problem.outputs)
    examples = problem.validation
    if problem.outputs[0].cap is not None:
        examples = replace(examples, targets=np.minimum(examples.targets, 2))
    found = score(network_answerer(network, examples), examples, outputs, problem.answer).score
    expected = {
        "number": found.get("mse", 0) / scale**2,
        "quantile": found.get("pinball", 0) / scale,
        "class": found.get("log_loss", 0),
    }[problem.answer]
    assert trained.history[trained.best_epoch - 1][1] == pytest.approx(expected, rel=1e-4)


FABRIC = fabric_of(TrainingRecipe())
MASKED = number_loss("mse", masked=True)


def test_a_state_carried_over_chunks_is_one_long_pass():
    problem, network, training = problem_of("numbers at every step", batch_size=3)
    torch.nn.init.normal_(network.head.weight)
    seen, state = [], None
    run = network.run

    def recorded(x, lengths, times, state):
        answer = run(x, lengths, times, state)
        seen.append((x, answer.z.detach()))
        return answer

    network.run = recorded
    batches = list(feed_of(problem, training, every_step=True).training.of_epoch(1))
    for batch in batches:
        state = look(FABRIC, network, MASKED, batch, state).state
    rows, pieces = {}, []  # of each lane, what it has seen since it last began from zero
    for batch, (x, z) in zip(batches, seen, strict=True):
        for lane in range(len(x)):
            if batch.fresh[lane]:
                rows[lane] = []
                pieces.append(rows[lane])
            rows[lane].append((x[lane], z[lane]))
    assert len(pieces) == len(LENGTHS)
    assert max(len(piece) for piece in pieces) > 2
    for piece in pieces:
        x, z = (torch.cat(parts)[None] for parts in zip(*piece, strict=True))
        torch.testing.assert_close(run(x).z, z)


def test_a_row_that_begins_begins_from_zero():
    x = torch.zeros(2, 5, 3)
    state = ((torch.ones(1, 3, 12), torch.ones(1, 3, 12)),)  # of three rows: one of them has ended
    batch = Batch(x, x, fresh=torch.tensor([True, False]))
    ((h, c),) = state_of(batch, state)
    assert torch.equal(h, torch.tensor([0.0, 1.0])[None, :, None].expand(1, 2, 12))
    assert torch.equal(c, h)
    assert state_of(Batch(x, x), state) is None
    assert state_of(batch, None) is None


def test_an_epoch_begins_from_zero_and_goes_on_from_batch_to_batch(monkeypatch):
    seen = []
    real = loop.step

    def step(trainer, batch, state):
        seen.append(state)
        return real(trainer, batch, state)

    monkeypatch.setattr(loop, "step", step)
    problem, network, training = problem_of("numbers at every step")
    trainer = loop.trainer_of(loop.Job(network, problem, training, None, False, False), FABRIC, 10)
    feed = feed_of(problem, training, every_step=True)
    for epoch in range(2):
        seen.clear()
        assert learn(trainer, feed.training.of_epoch(epoch), Interrupt()) > 0
        assert seen[0] is None
        assert all(state is not None for state in seen[1:])


def test_losses_are_counted_by_how_much_truth_they_are_of():
    network, losses = make_carried(input_size=1, output_size=1, horizon=1), loop._Losses()
    total, known = 0.0, 0
    for steps in (6, 2):
        x = torch.randn(3, 9, 1)
        y = torch.randn(3, 9, 1, 1)
        y[:, steps:] = torch.nan
        batch = Batch(x, y, fresh=torch.ones(3, dtype=torch.bool))
        losses.add(look(FABRIC, network, MASKED, batch, None))
        z, frame, _ = network.run(x)
        error = (z - network.scale_targets(y, frame))[:, :steps]
        total, known = total + error.square().sum().item(), known + 3 * steps
    assert losses.mean(FABRIC) == pytest.approx(total / known, rel=1e-5)


def test_a_step_of_which_half_is_known_counts_half():
    """The last steps of a series have fewer steps ahead of them."""
    network, counted = make_carried(input_size=1, output_size=1, horizon=2), loop._Losses()
    losses, known = [], []
    for ahead in (2, 1):
        y = torch.zeros(3, 4, 2, 1)
        y[:, :, ahead:] = torch.nan
        batch = Batch(torch.randn(3, 4, 1), y, fresh=torch.ones(3, dtype=torch.bool))
        counted.add(look(FABRIC, network, MASKED, batch, None))
        losses.append(look(FABRIC, network, MASKED, batch, None).loss.item())
        known.append(3 * 4 * ahead)
    assert counted.mean(FABRIC) == pytest.approx(np.average(losses, weights=known), rel=1e-6)


class Multiplied(Arithmetic):
    """Gradients as of float16, multiplied and divided, on a CPU that has no LSTM in float16."""

    def forward_context(self):
        return contextlib.nullcontext()


def trainer_in_fp16(**training):
    problem, network, training = problem_of("windows", **training)
    fabric = Fabric(accelerator="cpu", devices=1, plugins=[Multiplied("16-mixed", "cpu")])
    return problem, loop.trainer_of(loop.Job(network, problem, training, None, False, False), fabric, 30)


def test_what_float16_gradients_are_multiplied_by_is_kept_for_a_resume():
    (_, before), (_, after) = trainer_in_fp16(), trainer_in_fp16()
    before.fabric.strategy.precision.scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
    after.parts["arithmetic"].load_state_dict(before.parts["arithmetic"].state_dict())
    assert after.fabric.strategy.precision.scaler.get_scale() == 128.0


def test_float16_clips_the_gradients_as_they_are_and_learns():
    """Not those that are multiplied: their norm would be some 65,536 times the limit."""
    problem, trainer = trainer_in_fp16(optimizer="sgd", learning_rate=1.0, gradient_clip=1e-3)
    feed = feed_of(problem, trainer.training, False)
    before = torch.cat([parameter.detach().flatten().clone() for parameter in trainer.network.parameters()])
    loop.step(trainer, next(feed.training.of_epoch(0)), None)
    after = torch.cat([parameter.detach().flatten() for parameter in trainer.network.parameters()])
    assert float((after - before).norm()) == pytest.approx(1e-3, rel=1e-2)
    assert math.isfinite(learn(trainer, feed.training.of_epoch(1), Interrupt()))


def test_physical_units_reach_the_network_as_they_are():
    """In float16, 20,000.5 would be 20,000 before its origin is taken from it."""
    x = torch.tensor([[[20_000.5]]])
    for name in ("convert_input", "convert_output"):
        assert getattr(Arithmetic("16-mixed", "cpu"), name)(x) is x


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_averaged_weights_are_those_of_the_formula(tmp_path, monkeypatch, decay):
    """Each step's weights w: the first as they are, then average = decay * average + (1 - decay) * w."""
    steps = []
    real = torch.optim.swa_utils.AveragedModel.update_parameters

    def update_parameters(average, network):
        steps.append({name: tensor.detach().double().clone() for name, tensor in network.named_parameters()})
        real(average, network)

    monkeypatch.setattr(torch.optim.swa_utils.AveragedModel, "update_parameters", update_parameters)
    problem, network, training = problem_of("windows", average=decay, epochs=2)
    trained = run_loop(network, replace(problem, validation=None), training, tmp_path / "resume.ckpt", False)
    assert len(steps) == 2 * 13
    for name, tensor in steps[0].items():
        average = tensor
        for step in steps[1:]:
            average = decay * average + (1 - decay) * step[name]
        torch.testing.assert_close(trained.weights[name].double(), average, atol=1e-6, rtol=1e-5)
    for name in ("input_offset", "output_scale"):
        assert torch.equal(trained.weights[name], dict(network.named_buffers())[name])


def test_the_average_is_what_is_validated_and_kept(tmp_path):
    problem, network, trained = train("windows", tmp_path, average=0.9)
    network.load_state_dict(trained.weights)
    (x, y), scale = (problem.validation.x(), problem.validation.y()), float(network.output_scale[0])
    with torch.no_grad():
        error = (network(torch.from_numpy(x)).numpy() - y) / scale
    assert min(validation for _, validation in trained.history) == pytest.approx((error**2).mean(), rel=1e-4)


def test_rare_classes_weigh_more_where_that_is_asked_for(tmp_path):
    """Nothing tells the classes apart: alike, the frequent one is likelier; balanced, both are as likely."""
    x = np.random.default_rng(0).normal(size=(80, 6, 1)).astype(np.float32)
    y = ["common"] * 64 + ["rare"] * 16
    found = {}
    for weights in ("none", "balanced"):
        content = {
            "task": "classify",
            "data": {"path": "", "targets": ["y"]},
            "network": {**plain.NETWORK, "hidden_size": 2},
        }
        content["training"] = {**plain.TRAINING, "class_weights": weights, "epochs": 12, "learning_rate": 0.02}
        recipe = check_recipe({**content, "window": {}}, "test")
        problem = TASKS["classify"].from_arrays(Arrays(x, y, None, None, (), ()), recipe)
        network = make_network(problem, recipe).network
        trained = run_loop(network, problem, recipe.training, tmp_path / f"{weights}.ckpt", False)
        network.load_state_dict(trained.weights)
        with torch.no_grad():
            found[weights] = network(torch.from_numpy(x))[:, 0, 1].mean().item()
    assert found["none"] == pytest.approx(0.2, abs=0.06)
    assert found["balanced"] == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("kind", KINDS)
def test_training_makes_the_loss_smaller(kind, tmp_path):
    _, _, trained = train(kind, tmp_path, epochs=8)
    assert trained.history[-1][0] < 0.9 * trained.history[0][0]


class KilledError(Exception):
    """Somebody pulled the plug."""


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("kind", ["windows", "a carried forecast", "sequences", "numbers at every step"])
def test_a_resumed_training_ends_like_an_uninterrupted_one(kind, average, tmp_path, monkeypatch):
    """Also in the weights of the last epoch: those of the best may be of one before the break."""
    settings = {"average": average, "epochs": 4, "schedule": "one-cycle", "batch_size": 2}
    problem, whole, training = problem_of(kind, dropout=0.3, **settings)
    uninterrupted = run_loop(whole, problem, training, tmp_path / "whole.ckpt", False)
    learned, epochs = loop.learn, []

    def die(*arguments):
        epochs.append(1)
        if len(epochs) == 3:
            raise KilledError
        return learned(*arguments)

    killed = problem_of(kind, dropout=0.3, **settings)[1]
    with monkeypatch.context() as patch:
        patch.setattr(loop, "learn", die)
        with pytest.raises(KilledError):
            run_loop(killed, problem, training, tmp_path / "resume.ckpt", False)
    torch.manual_seed(99)
    resumed = problem_of(kind, dropout=0.3, **settings)[1]
    found = run_loop(resumed, problem, training, tmp_path / "resume.ckpt", False)
    assert found.history == uninterrupted.history
    assert len(found.history) == 4
    for name, tensor in uninterrupted.weights.items():
        assert torch.equal(found.weights[name], tensor), name
    for name, tensor in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name


@pytest.mark.parametrize("kind", ["windows", "sequences", "numbers at every step"])
def test_an_epoch_goes_over_what_it_says(kind):
    problem, _, training = problem_of(kind)
    feed = feed_of(problem, training, every_step=kind == "numbers at every step")
    rows = sum(LENGTHS)
    assert (feed.samples, feed.unit) == {
        "windows": (50, "windows"),
        "sequences": (6, "sequences"),
        "numbers at every step": (rows, "steps"),
    }[kind]
    assert feed.steps == sum(len(list(feed.training.of_epoch(epoch))) for epoch in range(training.epochs))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_other_arithmetic_than_float32_needs_a_gpu():
    with pytest.raises(TrainingError, match=r"training\.precision: bf16 needs a GPU.*use fp32"):
        problem_of("windows", precision="bf16")


@pytest.mark.parametrize("kind", ["a carried forecast", "classes at every step", "numbers at every step"])
def test_long_series_are_evaluated_in_pieces_that_carry_their_state(kind, monkeypatch):
    problem, network, training = problem_of(kind)
    torch.nn.init.normal_(network.head.weight)

    def evaluated():
        feed = feed_of(problem, training, every_step=True)
        loss = losses_of(problem, training, True)[1]
        answerer = network_answerer(network, problem.validation)
        batches = len(list(feed.validation.of_epoch(0)))
        return batches, validate(FABRIC, network, loss, feed.validation), [answerer(np.array([i])) for i in range(6)]

    whole, loss, answers = evaluated()
    monkeypatch.setattr(chunks, "EVALUATED_STEPS", 5 * whole)
    monkeypatch.setattr(answering, "EVALUATED_STEPS", 5)
    monkeypatch.setattr(chunks, "EVALUATED_TOGETHER", 4)
    pieces, again, found = evaluated()
    assert pieces > whole
    assert again == pytest.approx(loss, rel=1e-5)
    for one, other in zip(found, answers, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_more_rows_than_steps_that_fit_at_once_are_answered_step_by_step(monkeypatch):
    problem, network, _ = problem_of("numbers at every step")
    torch.nn.init.normal_(network.head.weight)
    x = np.random.default_rng(0).normal(size=(5, 7, len(problem.inputs))).astype(np.float32)
    whole = answering.answer(network, x)
    monkeypatch.setattr(answering, "EVALUATED_STEPS", 4)
    np.testing.assert_allclose(answering.answer(network, x), whole, rtol=1e-5, atol=1e-6)


def test_what_is_capped_is_learnt_validated_and_scaled_so():
    problem, network, training = problem_of("numbers at every step")
    assert problem.outputs[0].cap == 2.0
    assert problem.training.targets.max() > 2
    feed = feed_of(problem, training, every_step=True)
    for loader in (feed.training, feed.validation):
        targets = torch.cat([batch.y.flatten() for batch in loader.of_epoch(0)])
        assert float(targets[~targets.isnan()].max()) == 2.0
    capped = np.minimum(problem.training.targets, 2)
    assert float(network.output_scale[0]) == pytest.approx(capped.std(), rel=1e-5)
    assert float(network.output_offset[0]) == pytest.approx(capped.mean(), rel=1e-5)
