"""Samples per second of the trainer beside a plain hand-written torch loop on the same data.

    python -m benchmarks.training [--rounds 14]    # writes results/training.md

Both train the same network with the same optimizer, batches, gradient limit and schedule, validate after every epoch
and keep the best weights; the trainer also writes its resume checkpoint. In turns, in one process, on one thread; the
median of the ratios counts.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from benchmarks import RESULTS
from edgelstm.bench.machine import describe_machine
from edgelstm.data.windows import Windows, from_rows
from edgelstm.recipe.file import check_recipe
from edgelstm.recipe.recipe import Recipe
from edgelstm.strict_json import plain
from edgelstm.train.feeding.feed import EVALUATION_BATCH
from edgelstm.train.loop import run_loop
from edgelstm.train.problem import Problem, channels_of
from edgelstm.train.setup import make_network

EPOCHS = 8


class Case(NamedTuple):
    """What is trained: channels, samples in a window, horizon, units, windows in a batch."""

    name: str
    channels: int
    steps: int
    horizon: int
    hidden_size: int
    batch_size: int
    rows: int


CASES = (
    Case("CO2 by the sample", 1, 104, 12, 64, 64, 1600),
    Case("seven channels, ETTh1's size", 7, 96, 96, 64, 32, 4000),
    Case("a small network", 3, 24, 1, 16, 32, 4000),
    Case("a large batch", 3, 24, 1, 64, 256, 8000),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=14)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    found = []
    for case in CASES:
        problem = problem_of(case)
        rates = [pair_of(problem, case, round_ % 2 == 1) for round_ in range(rounds + 1)][1:]  # the first one warms up
        ratio = statistics.median(own / plain_loop for own, plain_loop in rates)
        own, other = (statistics.median(column) for column in zip(*rates, strict=True))
        found.append({**case._asdict(), "edgelstm": own, "plain": other, "ratio": ratio})
        print(f"{case.name:32} {own:10,.0f} windows/s, by hand {other:10,.0f}, ratio {ratio:.2f}", flush=True)
    write(found)


def pair_of(problem: Problem, case: Case, turned: bool) -> tuple[float, float]:
    """Windows per second of the trainer and of the plain loop; the plain loop goes first where they are turned."""
    if turned:
        plain_loop = by_hand(problem, case)
        return ours(problem, case), plain_loop
    return ours(problem, case), by_hand(problem, case)


def problem_of(case: Case) -> Problem:
    """A random walk with a season, whose last fifth is for validation."""
    rng = np.random.default_rng(0)
    season = np.sin(np.arange(case.rows) / 4)[:, None]
    rows = (np.cumsum(rng.normal(size=(case.rows, case.channels)), 0) + 5 * season).astype(np.float32)
    names = tuple(f"x{i}" for i in range(case.channels))
    border = case.rows * 4 // 5

    def windows(part: Any) -> Windows:
        return from_rows(part, part, 0, case.steps, case.horizon, 1)

    training, validation = windows(rows[:border]), windows(rows[border - case.steps :])
    channels = channels_of(names, rows[:border], {})
    return Problem(
        "speed", "forecast", "number", channels, channels, case.steps, case.horizon, training, validation, None
    )


def recipe_of(case: Case) -> Recipe:
    network = {"hidden_size": case.hidden_size, "segment": 1, "dropout": 0, "scaling": "standard", "start": "none"}
    training = {"epochs": EPOCHS, "batch_size": case.batch_size, "learning_rate": 1e-3, "average": 0, "threads": 1}
    content = {"data": {"path": "", "targets": ["x0"]}, "network": network}
    return check_recipe({**content, "training": {**training, "schedule": "one-cycle"}}, "benchmark")


def ours(problem: Problem, case: Case) -> float:
    """Windows per second of the trainer, from the first line of its loop to the last."""
    recipe = recipe_of(case)
    network = make_network(problem, recipe).network
    with tempfile.TemporaryDirectory() as folder:
        start_s = time.perf_counter()
        run_loop(network, problem, recipe.training, Path(folder) / "resume.ckpt", False)
        return EPOCHS * len(problem.training) / (time.perf_counter() - start_s)


class Plain(nn.Module):
    """What anybody would write."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.lstm = nn.LSTM(case.channels, case.hidden_size, batch_first=True)
        self.head = nn.Linear(case.hidden_size, case.horizon * case.channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(x)[0][:, -1])


def by_hand(problem: Problem, case: Case) -> float:
    """Windows per second of a plain loop over scaled arrays that were made before the clock started."""
    training, validation = problem.training, problem.validation
    mean, std = training.x_rows.mean(0), training.x_rows.std(0)
    parts = []
    for part in (training, validation):
        x, y = (part.x() - mean) / std, (part.y() - mean) / std
        parts.append((torch.from_numpy(x), torch.from_numpy(y.reshape(len(y), -1))))
    (x, y), (val_x, val_y) = parts
    torch.manual_seed(0)
    model = Plain(case)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.0)
    batches = -(-len(x) // case.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=EPOCHS * batches)
    best, kept = float("inf"), {}
    start_s = time.perf_counter()
    for _ in range(EPOCHS):
        model.train()
        total = 0.0
        for index in torch.randperm(len(x)).split(case.batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x[index]), y[index])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(index)
        model.eval()
        with torch.no_grad():
            losses = [
                nn.functional.mse_loss(model(some), truth).item() * len(some)
                for some, truth in zip(val_x.split(EVALUATION_BATCH), val_y.split(EVALUATION_BATCH), strict=True)
            ]
        if sum(losses) / len(val_x) < best:
            best, kept = sum(losses) / len(val_x), copy.deepcopy(model.state_dict())
    assert kept
    return EPOCHS * len(x) / (time.perf_counter() - start_s)


def write(found: list[dict[str, Any]]) -> None:
    machine = plain(describe_machine())
    (RESULTS / "training.json").write_text(json.dumps({"machine": machine, "cases": found}, indent=1) + "\n")
    rows = [
        f"| {case['name']} | {case['channels']} x {case['steps']}, {case['hidden_size']} units, batches of "
        f"{case['batch_size']} | {case['edgelstm']:,.0f} | {case['plain']:,.0f} | **{case['ratio']:.2f}** |"
        for case in found
    ]
    lines = [
        "# The trainer beside a plain torch loop",
        "",
        "Windows per second, both with validation after every epoch; median of the ratios of rounds in turn, one",
        f"thread, on {machine['cpu']}. `python -m benchmarks.training`",
        "",
        "| | network | edgelstm | by hand | ratio |",
        "|---|---|---|---|---|",
        *rows,
        "",
    ]
    (RESULTS / "training.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
