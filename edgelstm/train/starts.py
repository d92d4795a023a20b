"""Starts: the line that a network starts from, chosen among the baselines on validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from edgelstm.arrays import Array64
from edgelstm.data.baselines.blend import SIMPLER, best_shares, error_of, nearest_that_holds
from edgelstm.data.baselines.forecast import spread_of
from edgelstm.data.baselines.linear import Linear, seasonal, window_mean
from edgelstm.data.baselines.own_ridge import OwnRidge
from edgelstm.data.baselines.ridge import RIDGE_BYTES, Ridge, chunks_of, measures, ridge_bytes, robust
from edgelstm.data.baselines.scaled import ScaledLine, Space, in_scaled_space, shared_in_scaled_space
from edgelstm.data.scaling import Scaling
from edgelstm.data.windows import Index, Windows
from edgelstm.errors import RecipeError
from edgelstm.recipe.sections import NetworkRecipe
from edgelstm.train.networks.network import LstmNetwork
from edgelstm.train.problem import Problem

PERSISTENCE, DRIFT, REPEAT, MEAN = "persistence", "seasonal naive with drift", "seasonal naive", "mean of the window"
RIDGE, ROBUST = "ridge", "robust ridge"
BASELINES = (PERSISTENCE, DRIFT, RIDGE)  # compared with the network
ASKED = {"persistence": PERSISTENCE, "seasonal": DRIFT, "ridge": RIDGE}
MOST_WEIGHTS = 2**18
FEW_WINDOWS = 200  # of validation: with fewer, origins inside the training part are used too
HORIZONS = 20  # in validation, from which it has the same weight as all origins inside training
ORIGINS = (0.4, 0.55, 0.7, 0.85)  # fractions of the training windows
LEAST_WINDOWS = 8  # to fit a line on
SMALLEST_RESIDUAL = 1e-3  # of a scaled unit: residuals are scaled up by at most a thousand
MEASURED = 20_000  # windows to measure the residual of a start on


@dataclass(frozen=True)
class Start:
    """The line that a network starts from.

    Attributes:
        line: in the scaled space of the network.
        shares: of the baselines in it, by name.
        scaled_rmse: on validation, in the spread of the targets; NaN if it was not chosen there.
    """

    line: ScaledLine
    shares: dict[str, float]
    scaled_rmse: float

    @property
    def words(self) -> str:
        """Say which baselines it consists of.

        Example:
            >>> Start(ScaledLine(np.zeros((1, 1)), np.zeros(1)), {"ridge": 0.7, "persistence": 0.3}, 1.0).words
            '0.70 ridge + 0.30 persistence'
        """
        named = {name: share for name, share in self.shares.items() if share >= 0.005}
        if len(named) == 1:
            return next(iter(named))
        return " + ".join(f"{share:.2f} {name}" for name, share in sorted(named.items(), key=lambda item: -item[1]))


class Chosen(NamedTuple):
    """A start, or why there is none."""

    start: Start | None
    said: str


def choose_start(problem: Problem, scaling: Scaling, network: NetworkRecipe, loss: str) -> Chosen:
    """Choose the line that a network starts from.

    All baselines and their blends are lines. The one with the smallest error on validation is chosen; if validation has
    few windows, forecasts from inside the training part count as well, but the choice is never worse on validation than
    the best baseline.

    Args:
        problem: what to forecast.
        scaling: of the network, with one output per target.
        network: `start` is `auto`, or the name of a baseline.
        loss: of the training, `mse`, `mae`, ...

    Raises:
        RecipeError: a baseline was asked for that is not possible with these windows.
    """
    training, validation, asked = problem.training, problem.validation, network.start
    if asked == "none":
        return Chosen(None, "")
    reason = _none_because(problem, network)
    if reason or not isinstance(training, Windows):
        if asked in ASKED:
            raise RecipeError(f"network.start: {asked}: {reason}; remove it")
        return Chosen(None, reason)
    space = Space(scaling, network.shared)
    maker = _Maker(problem, space, validation if isinstance(validation, Windows) else None)
    lines = maker.lines(training)
    if asked in ASKED:
        return Chosen(_alone(lines, asked), "")
    if not isinstance(validation, Windows):
        return Chosen(None, "no start: it is chosen on validation data, and there is none")
    return Chosen(_chosen(maker, lines, training, validation, loss), "")


def begin_with(network: LstmNetwork, problem: Problem, start: Start, space: Space) -> None:
    """Set the start of a network, and let its LSTM learn in units of the residual of the start.

    Each quantile starts at that quantile of the residual on validation.

    Args:
        network: has a highway.
        problem: what to forecast.
        start: of this network.
        space: the scaled space of the network, with one output per target.
    """
    training = problem.training
    if not isinstance(training, Windows):
        raise TypeError("expected windows to forecast from a line")
    levels, targets = network.plan.levels, len(spread_of(problem.outputs))
    index = np.unique(np.linspace(0, len(training) - 1, min(len(training), MEASURED)).astype(np.int64))
    left = np.sqrt(np.mean(_residuals(start.line, space, training, index) ** 2, axis=(0, 1)))
    left = np.full(targets, np.sqrt(np.mean(left**2))) if space.shared else left
    left = np.maximum(left, SMALLEST_RESIDUAL)
    weight, bias = start.line.weight, start.line.bias[:, np.newaxis]
    if levels > 1:
        held_out = problem.validation if isinstance(problem.validation, Windows) else training
        weight = np.repeat(weight, levels, axis=0)
        bias = bias + _quantiles(start.line, space, held_out, problem.levels)
    rows = np.full(problem.horizon, left[0]) if space.shared else np.tile(left, problem.horizon)
    network.set_start(
        torch.from_numpy((weight / np.repeat(rows, levels)[:, np.newaxis]).astype(np.float32)),
        torch.from_numpy((bias / rows[:, np.newaxis]).reshape(-1).astype(np.float32)),
    )
    network.way_back().scale.mul_(torch.from_numpy(np.repeat(left, levels).astype(np.float32)))


def _none_because(problem: Problem, network: NetworkRecipe) -> str:
    """Say why there is no start; empty if there may be one."""
    training = problem.training
    if not isinstance(training, Windows):
        return "no start: only forecasts from windows can start from a line"
    if network.state == "carried":
        return "no start: a carried network has no window to fit a line to"
    targets = len(spread_of(problem.outputs))
    size = training.steps * problem.horizon * (1 if network.shared else len(problem.inputs) * targets)
    if size > MOST_WEIGHTS:
        return f"no start: it would need {size:,} weights, more than {MOST_WEIGHTS:,}"
    if not problem.own and (network.shared or network.scaling in ("relative", "instance")):
        return "no start: the past of the targets is not among the inputs"
    if len(training) < LEAST_WINDOWS:
        return f"no start: {len(training)} training windows are too few to fit one"
    return ""


class _Maker:
    """Fits the lines of a start; a penalty that validation has chosen is kept."""

    def __init__(self, problem: Problem, space: Space, validation: Windows | None) -> None:
        self.space, self.spread = space, spread_of(problem.outputs)
        self._problem, self._validation = problem, validation
        self._alphas: dict[str, float] = {}

    def lines(self, training: Windows) -> dict[str, ScaledLine]:
        """Fit the lines on training windows; the first call chooses penalties on validation."""
        found = {**self._naive(training), **self._ridges(training)}
        if not self.space.shared:
            return {name: in_scaled_space(line, self.space) for name, line in found.items()}
        return {name: shared_in_scaled_space(line.weight[:, 0, :, 0], self.space) for name, line in found.items()}

    def _naive(self, training: Windows) -> dict[str, Linear]:
        own, season = self._problem.own, self._problem.season
        if not own:
            return {}
        sizes = (training.steps, training.x_rows.shape[1], training.horizon, own)
        found = {PERSISTENCE: seasonal(*sizes, None, drift=False), MEAN: window_mean(*sizes)}
        if season is not None and season < training.steps:
            found[DRIFT] = seasonal(*sizes, season, drift=True)
            found[REPEAT] = seasonal(*sizes, season, drift=False)
        return found

    def _ridges(self, training: Windows) -> dict[str, Linear]:
        own, spread, kind = self._problem.own, self.spread, self.space.scaling.kind
        known = self._alphas.get(RIDGE)
        validation = self._validation if known is None else None
        if self.space.shared or kind == "instance" or training.spreads is not None:
            line = OwnRidge(training, validation, spread, own, known, pooled=self.space.shared)
            self._alphas[RIDGE] = line.alpha
            return {RIDGE: line.linear}
        if ridge_bytes(training) > RIDGE_BYTES:
            return {}
        first = Ridge(training, validation, spread, own, None, known)
        self._alphas[RIDGE] = first.alpha
        return {RIDGE: first.linear, ROBUST: robust(training, validation, spread, own, first).linear}


def _alone(lines: dict[str, ScaledLine], asked: str) -> Start:
    name = ASKED[asked]
    if name not in lines:
        raise RecipeError(
            f"network.start: {asked}: not possible with these windows; possible are "
            f"{', '.join(word for word, known in ASKED.items() if known in lines)}"
        )
    return Start(lines[name], {name: 1.0}, float("nan"))


def _chosen(maker: _Maker, lines: dict[str, ScaledLine], training: Windows, validation: Windows, loss: str) -> Start:
    names = list(lines)
    held_out = _products(maker, [lines[name] for name in names], validation)
    asked, safe = held_out, best_shares(held_out)
    origins = _origins(training) if len(validation) < FEW_WINDOWS else []
    if origins:
        share = _share_of_validation(validation, sum(len(behind) for _, behind in origins))
        asked = share * held_out + (1 - share) * _products_inside(maker, names, training, origins)
    limit = min(held_out[i, i] for i, name in enumerate(names) if name in BASELINES)
    shares = nearest_that_holds(best_shares(asked), safe, held_out, limit)
    shares = _simpler(shares, asked, held_out, limit)
    if loss != "mse":
        shares = _better_alone(maker, [lines[name] for name in names], shares, validation)
    line = ScaledLine(
        np.tensordot(shares, np.stack([lines[name].weight for name in names]), 1),
        np.tensordot(shares, np.stack([lines[name].bias for name in names]), 1),
    )
    named = {name: float(share) for name, share in zip(names, shares, strict=True) if share > 0}
    return Start(line, named, float(np.sqrt(error_of(shares, held_out))))


def _simpler(shares: Array64, asked: Array64, held_out: Array64, limit: float) -> Array64:
    """Use a single line if it is as good as the blend."""
    most = SIMPLER * error_of(shares, asked)
    alone = [i for i in range(len(shares)) if asked[i, i] <= most and held_out[i, i] <= limit]
    if not alone:
        return shares
    one: Array64 = np.eye(len(shares))[min(alone, key=lambda i: float(asked[i, i]))]
    return one


def _better_alone(maker: _Maker, lines: Sequence[ScaledLine], shares: Array64, validation: Windows) -> Array64:
    """Replace the blend by a single line with a smaller absolute error, for losses other than the squared error."""
    choices: list[Array64] = [shares, *np.eye(len(lines))]
    absolute = np.zeros(len(choices))
    for index in chunks_of(validation):
        errors = _errors(maker, lines, validation, index)
        absolute += [float(np.abs(np.tensordot(choice, errors, 1)).sum()) for choice in choices]
    return choices[int(np.argmin(absolute))]


def _errors(maker: _Maker, lines: Sequence[ScaledLine], windows: Windows, index: Index) -> Array64:
    """Give the scaled errors of lines on some windows: float64 [C, n K O], 0 if the target is unknown."""
    x, y, measure = windows.x(index), windows.y(index).astype(np.float64), measures(windows, index, maker.spread)
    errors = [(maker.space.answers(line, x, windows.horizon) - y) / measure for line in lines]
    found: Array64 = np.nan_to_num(np.stack(errors)).reshape(len(lines), -1)
    return found


def _products(maker: _Maker, lines: Sequence[ScaledLine], windows: Windows, some: Index | None = None) -> Array64:
    """Give the mean of error times error of each pair of lines: float64 [C, C]."""
    total, known = np.zeros((len(lines), len(lines))), 0
    chunks = chunks_of(windows) if some is None else np.array_split(some, -(-len(some) // 1024))
    for index in chunks:
        errors = _errors(maker, lines, windows, index)
        total += errors @ errors.T
        known += int((~np.isnan(windows.y(index))).sum())
    found: Array64 = total / max(known, 1)
    return found


def _origins(training: Windows) -> list[tuple[Index, Index]]:
    """Split the windows of one series at some origins: windows with targets before the origin, and those after it.

    Empty for many series, and for arrays, whose order in time is unknown.
    """
    if training.spreads is not None or not training.same_rows:
        return []
    order = np.argsort(training.y_starts, kind="stable")
    edges = [int(len(order) * origin) for origin in ORIGINS] + [len(order)]
    found = []
    for start, end in pairwise(edges):
        if start == end:
            continue
        ends = training.y_starts[order] + training.horizon
        learnt = order[ends <= training.y_starts[order[start]]]
        if len(learnt) >= max(LEAST_WINDOWS, len(order) // 5):
            found.append((learnt, order[start:end]))
    return found


def _share_of_validation(validation: Windows, inside: int) -> float:
    """Give the weight of validation against origins inside training: half, or less if it is only a few horizons long.

    Validation is nearer to the future, and its lines have learned from more; but ten windows of twelve months are one
    year, and years differ.
    """
    horizons = len(validation) / validation.horizon
    return max(len(validation) / (len(validation) + inside), min(0.5, horizons / HORIZONS))


def _products_inside(
    maker: _Maker, names: Sequence[str], training: Windows, origins: Sequence[tuple[Index, Index]]
) -> Array64:
    """Fit before each origin, and give the products of errors after it, like `_products`: the mean over windows."""
    total, count = np.zeros((len(names), len(names))), 0
    for learnt, behind in origins:
        part = replace(training, x_starts=training.x_starts[learnt], y_starts=training.y_starts[learnt])
        lines = maker.lines(part)
        total += len(behind) * _products(maker, [lines[name] for name in names], training, behind)
        count += len(behind)
    return total / count


def _residuals(line: ScaledLine, space: Space, windows: Windows, index: Index) -> Array64:
    """Give the residual of a line, in scaled units: float64 [n, K, O], NaN if the target is unknown."""
    found = []
    for some in np.array_split(index, -(-len(index) // 1024)):
        x = windows.x(some)
        _, scale, _ = space.frame(x)
        found.append((windows.y(some) - space.answers(line, x, windows.horizon)) / scale)
    return np.concatenate(found)


def _quantiles(line: ScaledLine, space: Space, windows: Windows, levels: tuple[float, ...]) -> Array64:
    """Give the distance of each level from a line, per step: float64 [K O, levels]; for shared channels [K, levels]."""
    left = _residuals(line, space, windows, np.arange(len(windows)))
    if space.shared:
        left = left.transpose(0, 2, 1).reshape(-1, windows.horizon, 1)
    found = np.nanquantile(left, levels, axis=0)
    return found.reshape(len(levels), -1).T
