"""The contract: what a model file says about itself. FORMAT.md is its specification.

The trainer drafts it, the exporter completes it for each file, and the runtime obeys it.
"""

from __future__ import annotations

from edgelstm.contract.contract import Contract
from edgelstm.contract.parts import (
    ANSWERS,
    CLIPS,
    FORMAT_VERSION,
    HEADS,
    HIGHER_IS_BETTER,
    PRECISIONS,
    QUANTILE_LEVELS,
    SCALINGS,
    STATES,
    TASKS,
    Answer,
    Channel,
    Fidelity,
    Metrics,
    Precision,
    Provenance,
    Quantization,
    Score,
    State,
    StateTensor,
    Statistics,
    Task,
)
from edgelstm.contract.traits import Traits, has_integers, runs_rows_apart, traits_of

__all__ = [
    "ANSWERS",
    "CLIPS",
    "FORMAT_VERSION",
    "HEADS",
    "HIGHER_IS_BETTER",
    "PRECISIONS",
    "QUANTILE_LEVELS",
    "SCALINGS",
    "STATES",
    "TASKS",
    "Answer",
    "Channel",
    "Contract",
    "Fidelity",
    "Metrics",
    "Precision",
    "Provenance",
    "Quantization",
    "Score",
    "State",
    "StateTensor",
    "Statistics",
    "Task",
    "Traits",
    "has_integers",
    "runs_rows_apart",
    "traits_of",
]
