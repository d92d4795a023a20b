"""A small network of three measurements every ten seconds, and the guard's policy in plain Python."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from edgelstm.contract import Statistics
from edgelstm.export import export_run
from edgelstm.runtime import read_model_file
from edgelstm.train import fit

PERIOD_NS = 10 * 10**9
STEPS, NAMES = 4, ("a", "b", "c")
LOW, HIGH = (-1.0, 0.0, None), (1.0, 10.0, None)  # what training saw; nobody knows of "c"
FATES = ("clean", "mended", "missing", "late", "duplicate", "early", "refused")


def make_file(folder, state):
    """Train for an epoch on noise and export."""
    x = np.random.default_rng(0).uniform(-1, 1, (12, STEPS, 3)).astype(np.float32)
    y = x[..., :1] if state == "carried" else x[:, -1, :1]
    fit(x, y, folder / "run", inputs=NAMES, state=state, hidden_size=3, epochs=1, threads=1, progress=False)
    export_run(folder / "run", folder)
    return with_statistics(read_model_file(folder / "lstm.fp32.onnx"))


def with_statistics(file):
    """Put the channels and the period of this file's first lines into it."""
    inputs = []
    for channel, low, high in zip(file.contract.inputs, LOW, HIGH, strict=True):
        levels = None if low is None else tuple(np.linspace(low, high, 11).tolist())
        statistics = levels and Statistics((low + high) / 2, (high - low) / 3, low, high, levels)
        inputs.append(channel._replace(statistics=statistics))
    return file._replace(contract=replace(file.contract, inputs=tuple(inputs), sample_period_s=PERIOD_NS / 1e9))


class Policy:
    """What a guard should do, one sample after the other, without numpy.

    Attributes:
        fed: what a plain stream would be told: rows to step with their times in ns, and None to reset.
        fates: how many samples had each of `FATES`.
        gaps, filled, resets, values: as in `Counts`; `values` by reason and channel.
    """

    def __init__(self, guard):
        self.guard, self.fed = guard, []
        self.fates = dict.fromkeys(FATES, 0)
        self.gaps = self.filled = self.resets = 0
        self.values = {reason: [0, 0, 0] for reason in ("nan", "infinite", "out_of_range", "held")}
        self.good, self.held, self.last, self.late = None, [0, 0, 0], None, 0

    def take(self, sample, time):
        """Decide on one sample and say what became of it."""
        fate = self.decide([math.nan] * 3 if sample is None else sample, time)
        self.fates[fate] += 1
        return fate

    def decide(self, sample, time):
        guard, gap, before = self.guard, None, self.last
        if time is not None and self.last is not None:
            periods = Fraction(time - self.last, PERIOD_NS)
            wrong = "late" if periods < 0 else "duplicate" if periods == 0 else "early"
            if periods <= 0 or periods < 1 - Fraction(guard.tolerance):
                if guard.on_late == "error":
                    return "refused"
                if wrong != "late" or self.late < guard.max_late:
                    self.late += wrong == "late"
                    return wrong
            if periods < 0:
                gap = math.inf
            elif periods > 1 + Fraction(guard.tolerance):
                gap = round(periods) - 1
            if gap is not None and guard.on_gap == "error":
                return "refused"
        row, missing, clipped = self.look(sample)
        if any(missing) and guard.on_missing == "error":
            return "refused"
        self.last, self.late = time, 0
        if gap is not None:
            self.bridge(gap, before)
        return self.hold(row, missing, clipped)

    def look(self, sample):
        row, missing, clipped = list(sample), [False] * 3, False
        for i, value in enumerate(sample):
            if math.isnan(value):
                self.values["nan"][i] += 1
                missing[i] = True
            elif abs(value) > 3.4028235e38:
                self.values["infinite"][i] += 1
                missing[i] = True
            elif LOW[i] is not None and self.guard.margin < math.inf:
                room = self.guard.margin * (HIGH[i] - LOW[i])
                if not LOW[i] - room <= value <= HIGH[i] + room:
                    self.values["out_of_range"][i] += 1
                    missing[i] = self.guard.on_range == "missing"
                    if self.guard.on_range == "clip":
                        row[i], clipped = min(max(value, LOW[i] - room), HIGH[i] + room), True
        return row, missing, clipped

    def bridge(self, gap, before):
        self.gaps += 1
        if self.guard.on_gap == "reset" or max(self.held) + gap > self.guard.max_hold:
            self.reset()
        elif self.good is not None:
            self.fed += [(self.good, before + i * PERIOD_NS) for i in range(1, gap + 1)]
            self.filled += gap
            self.held = [held + gap for held in self.held]

    def hold(self, row, missing, clipped):
        held = [held + 1 if gone else 0 for held, gone in zip(self.held, missing, strict=True)]
        if any(missing) and (self.good is None or self.guard.on_missing == "reset" or max(held) > self.guard.max_hold):
            self.reset()
            return "missing"
        for i in range(3):
            if missing[i]:
                row[i] = self.good[i]
                self.values["held"][i] += 1
        self.good, self.held = row, held
        self.fed.append((row, self.last))
        return "mended" if clipped or any(missing) else "clean"

    def reset(self):
        if self.good is not None:
            self.resets += 1
            self.fed.append(None)
        self.good, self.held = None, [0, 0, 0]
