"""`metrics.json`: an evaluation for programs.

| key | holds |
|---|---|
| `name`, `task`, `answer`, `source`, `data_sha256` | what was evaluated, on what |
| `metric` | the deciding figure, as in a contract; `scaled_rmse` is the root of `scaled_mse` |
| `measure` | measure of single errors: the metric, or `error_rate` for classes |
| `units` | of each target, or null |
| `season` | season length in samples, or null |
| `parts` | by part: `windows`, how many were scored, and by name of network or baseline its figures and details |
| `networks` | by part: the names that are networks, not baselines |
| `error_by_step` | by part and name: the measure at each step ahead; for forecasts |
| `error_over_time` | by part, null to classify: `axis` (`time` in UTC seconds, `row`, `step`), `at`, `errors` by name |
| `worst` | by part: the examples with the largest error, the worst first |

Rows and steps count from 1, examples from 0. A value is null if it could not be measured because no truth was known.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from edgelstm.contract import Contract
from edgelstm.data.scores.scorer import Scored
from edgelstm.report.evaluation import Axis, Case, Evaluation, OverTime, SequenceCase, WindowCase


def metrics_json(evaluation: Evaluation) -> bytes:
    """Write an evaluation as JSON; the same evaluation gives the same bytes."""
    contract = evaluation.contract
    parts = {part.name: part for part in evaluation.parts}
    content = {
        "name": contract.name,
        "task": contract.task,
        "answer": contract.answer,
        "source": evaluation.source,
        "data_sha256": evaluation.data_sha256,
        "metric": contract.metric,
        "measure": evaluation.measure,
        "units": {channel.source: channel.unit for channel in contract.targets},
        "season": evaluation.season,
        "parts": {
            name: {
                "windows": part.examples,
                **{who: _details(scored, contract) for who, scored in part.scored.items()},
            }
            for name, part in parts.items()
        },
        "networks": {name: list(part.networks) for name, part in parts.items()},
        "error_by_step": {
            name: {who: errors.tolist() for who, errors in part.by_step.items()} for name, part in parts.items()
        },
        "error_over_time": {name: _over_time(part.over_time) for name, part in parts.items()},
        "worst": {name: [_case(case, contract) for case in part.worst] for name, part in parts.items()},
    }
    text = json.dumps(_finite(content), indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def _details(scored: Scored, contract: Contract) -> dict[str, Any]:
    """Merge figures and details; details by channel get the names of the channels."""
    details = dict(scored.details)
    if "rmse_by_channel" in details:
        names = (channel.name for channel in contract.outputs)
        details["rmse_by_channel"] = dict(zip(names, details["rmse_by_channel"], strict=True))
    return {**scored.score, **details}


def _over_time(found: OverTime | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "axis": found.axis.kind,
        "at": found.axis.at.tolist(),
        "errors": {name: errors.tolist() for name, errors in found.errors.items()},
    }


def _case(case: Case, contract: Contract) -> dict[str, Any]:
    if isinstance(case, SequenceCase):
        classes = [channel.name for channel in contract.outputs]
        truth, answer = classes[case.truth], classes[case.answer]
        return {
            "example": case.example,
            "name": case.name,
            "truth": truth,
            "answer": answer,
            "confidence": case.confidence,
        }
    if isinstance(case, WindowCase):
        target = contract.targets[case.target].source
        name = {"name": case.name} if case.name else {}
        return {"example": case.example, **name, **_origin(case.origin), "target": target, "error": case.error}
    return {"example": case.example, "name": case.name, "error": case.error}


def _origin(origin: Axis) -> dict[str, Any]:
    return {"origin": {"axis": origin.kind, "at": int(origin.at[0])}}


def _finite(value: Any) -> Any:
    """Replace values that JSON cannot write (NaN, infinity) by null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, np.generic):
        return _finite(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
