"""Which start is chosen, against the choice made by hand: every blend's closed form, ridge by numpy's least squares."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from edgelstm.data.baselines.ridge import RIDGE_ALPHAS
from edgelstm.data.windows import from_rows
from edgelstm.recipe.file import check_recipe
from edgelstm.train import fit
from edgelstm.train.defaults import settle
from edgelstm.train.setup import make_network
from edgelstm.train.starts import _origins
from edgelstm.train.tasks import TASKS
from tests.data.baselines.plain import huber, least_squares

pytestmark = pytest.mark.usefixtures("no_report")

NAMES = ("persistence", "mean of the window", "ridge", "robust ridge")
STEPS = 4


def series_of(rows, seed):
    """A level that wanders, under noise, with outliers in the first half: no forecast alone is the best."""
    rng = np.random.default_rng(seed)
    values = np.cumsum(0.4 * rng.normal(size=rows)) + rng.normal(size=rows)
    values[rng.integers(0, rows // 2, 4)] += 12
    return values


def made(tmp_path, values, borders, horizon, **network):
    np.savetxt(tmp_path / "t.csv", values, header="y", comments="")
    content = {
        "data": {"path": str(tmp_path / "t.csv"), "targets": ["y"]},
        "split": {"borders": borders},
        "window": {"steps": STEPS, "horizon": horizon},
        "network": {"hidden_size": 2, "scaling": "standard", **network},
        "training": {"loss": "mse"},
    }
    asked = check_recipe(content, "test")
    problem = TASKS["forecast"].read(asked)
    return problem, make_network(problem, settle(asked, problem)).start


def last(windows):
    return windows[0][:, -1:]


def fitted(windows, penalties):
    """The four forecasters, of windows and their targets, for the penalties of ridge and of robust ridge."""
    ridge, robust = penalties
    lines = [
        least_squares(*windows, last(windows), ridge),
        huber(*windows, last(windows), [ridge, ridge, ridge, robust]),
    ]
    return [lambda x, last: last, lambda x, last: x.mean(1, keepdims=True), *lines]


def products(forecasts, windows):
    """The mean of error times error of each pair."""
    x, y = windows
    errors = np.stack([(np.broadcast_to(one(x, x[:, -1:]), y.shape) - y).reshape(-1) for one in forecasts])
    return errors @ errors.T / y.size


def penalties_of(training, validation):
    def error(forecast):
        return ((forecast(validation[0], last(validation)) - validation[1]) ** 2).mean()

    ridge = min(RIDGE_ALPHAS, key=lambda alpha: error(least_squares(*training, last(training), alpha)))
    robust = min(RIDGE_ALPHAS, key=lambda alpha: error(huber(*training, last(training), [ridge] * 3 + [alpha])))
    return ridge, robust


def smallest(asked):
    """The shares of the smallest error: for each choice of forecasts a system of equations, where its shares hold."""
    found = []
    for some in (list(c) for size in range(1, 5) for c in combinations(range(4), size)):
        shares = np.zeros(4)
        solved = np.linalg.solve(asked[np.ix_(some, some)], np.ones(len(some)))
        shares[some] = solved / solved.sum()
        if shares.min() >= 0:
            found.append((shares @ asked @ shares, shares))
    return min(found, key=lambda one: one[0])[1]


def by_hand(training, validation, horizon):
    """The shares: of validation alone from 200 windows on, else with what four origins inside training say.

    On validation they may not be worse than persistence and ridge: else they go, by fortieths, to its own shares. One
    alone is taken that is worse by at most 0.2 %.
    """
    penalties = penalties_of(training, validation)
    asked = held = products(fitted(training, penalties), validation)
    count, held_out = len(training[0]), len(validation[0])
    if held_out < 200:
        edges = [int(count * origin) for origin in (0.4, 0.55, 0.7, 0.85)] + [count]
        inside, seen = np.zeros((4, 4)), 0
        for begin, end in pairwise(edges):
            learnt = begin - horizon + 1  # whose last target lies before the first behind the origin
            if learnt < max(8, count // 5):
                continue
            known, behind = ([part[rows] for part in training] for rows in (slice(learnt), slice(begin, end)))
            inside += (end - begin) * products(fitted(known, penalties[:1] * 2), behind)
            seen += end - begin
        share = max(held_out / (held_out + seen), min(0.5, held_out / horizon / 20))
        asked = share * asked + (1 - share) * inside / seen
    wanted, safe = smallest(asked), smallest(held)
    limit = min(held[0, 0], held[2, 2])
    way = ((1 - part) * wanted + part * safe for part in np.arange(41) / 40)
    blend = next(shares for shares in way if shares @ held @ shares <= limit)
    most = 1.002 * (blend @ asked @ blend)
    alone = [one for one in np.eye(4) if one @ asked @ one <= most and one @ held @ one <= limit]
    return min(alone, key=lambda one: one @ asked @ one, default=blend)


@pytest.mark.parametrize(
    ("training", "validation", "horizon", "seed", "made_of"),
    [
        (300, 199, 3, 2, 2),  # half
        (300, 199, 3, 7, 2),  # half, and half the way to what validation alone asks for
        (300, 200, 3, 4, 2),  # validation alone
        (300, 200, 3, 7, 1),
        (900, 170, 30, 7, 2),  # as many horizons: less than half
        (150, 130, 53, 10, 2),  # as many windows as all origins: more than half; 30 windows before the second origin
        (150, 130, 54, 7, 2),  # 29 windows are too few
    ],
)
def test_the_start_is_the_blend_that_validation_and_origins_inside_training_ask_for(
    tmp_path, training, validation, horizon, seed, made_of
):
    """So many windows each."""
    border = training + STEPS + horizon - 1
    values = series_of(border + validation + horizon - 1, seed)
    problem, start = made(tmp_path, values, [border, len(values)], horizon)
    parts = [(part.x().astype(float), part.y().astype(float)) for part in (problem.training, problem.validation)]
    assert [len(x) for x, _ in parts] == [training, validation]
    expected = by_hand(*parts, horizon)
    np.testing.assert_allclose([start.shares.get(name, 0.0) for name in NAMES], expected, atol=2e-3)
    assert np.count_nonzero(expected > 0.1) == made_of


@pytest.mark.parametrize(("count", "horizon", "begins"), [(39, 8, [15, 21, 27, 33]), (39, 9, [21, 27, 33])])
def test_an_origin_counts_where_eight_windows_end_before_it(count, horizon, begins):
    rows = np.zeros((STEPS + count + horizon - 1, 1), np.float32)
    windows = from_rows(rows, rows, 0, STEPS, horizon, 1)
    backwards = replace(windows, x_starts=windows.x_starts[::-1], y_starts=windows.y_starts[::-1])
    for some in (windows, backwards):
        found = _origins(some)
        assert [min(some.x_starts[behind]) for _, behind in found] == begins
        assert [max(some.x_starts[behind]) + 1 for _, behind in found] == [*begins[1:], count]
        assert [sorted(some.x_starts[learnt]) for learnt, _ in found] == [list(range(n - horizon + 1)) for n in begins]
    assert _origins(replace(windows, same_rows=False)) == []
    assert _origins(replace(windows, spreads=np.ones((1, 1)))) == []


@pytest.mark.parametrize(("ratio", "alone"), [(1.0015, True), (1.0025, False)])
def test_one_forecast_alone_is_taken_that_is_worse_by_a_five_hundredth(tmp_path, ratio, alone):
    """On validation every window ends once above and once below a mixture of its last value and its mean."""
    rng = np.random.default_rng(0)
    x = np.repeat(np.cumsum(rng.normal(size=(200, STEPS, 1)), axis=1), 2, axis=0)
    off, signs = x.mean(axis=1) - x[:, -1], np.tile([1.0, -1.0], 200)[:, np.newaxis]
    share = np.sqrt((ratio - 1) / (off**2).mean())
    y = x[:, -1] + share * off + signs
    options = {"hidden_size": 2, "epochs": 1, "threads": 1, "progress": False, "scaling": "standard", "loss": "mse"}
    names = {"inputs": ("a",), "outputs": ("a",)}
    training = rng.normal(size=(40, STEPS, 1)).astype(np.float32), rng.normal(size=(40, 1)).astype(np.float32)
    held_out = x.astype(np.float32), y.astype(np.float32)
    start = fit(*training, tmp_path / "run", validation=held_out, **names, **options).start
    if alone:
        assert start.shares == {"persistence": 1.0}
    else:
        assert start.shares["mean of the window"] == pytest.approx(share, rel=0.02)
        assert start.shares["persistence"] == pytest.approx(1 - share, rel=0.02)
