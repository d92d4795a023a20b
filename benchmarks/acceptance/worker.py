"""Train, export and score one case, in a separate process.

EDGELSTM_DATA=... python -m benchmarks.acceptance.worker CASE SEED RUN OUTPUT    # writes OUTPUT/CASE.SEED.json
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks.acceptance.cases import MAX_DROP, figures_of, flags_of, recipe_digest, recipe_of
from benchmarks.case_runs import result_path
from edgelstm.answers import answerer_of
from edgelstm.data.scores.score import score
from edgelstm.export import Export, export_run
from edgelstm.files import write_whole
from edgelstm.runtime import load
from edgelstm.train import Fitted, fit_recipe, load_recipe


def main() -> None:
    name, seed, run, output = sys.argv[1:]
    result = run_case(name, int(seed), Path(run))
    write_whole(result_path(Path(output), name, int(seed)), json.dumps(result, indent=1).encode() + b"\n")


def run_case(name: str, seed: int, run: Path) -> dict[str, Any]:
    digest = recipe_digest(name, seed)
    shutil.rmtree(run, ignore_errors=True)  # of a start that was killed
    fitted = fit_recipe(load_recipe(recipe_of(name), flags_of(name, seed)), run)
    if fitted.interrupted:
        sys.exit("interrupted: an unfinished training is no result")
    export = export_run(run, precisions=["int8", "int8w"], max_metric_drop=MAX_DROP)
    return {"case": name, "seed": seed, "recipe_sha256": digest, **about(name, fitted), "files": files_of(name, export)}


def about(name: str, fitted: Fitted) -> dict[str, Any]:
    """Describe the training, and its scores beside the baselines on each part."""
    record, parts = fitted.run.record, {part.name: part for part in fitted.evaluation.parts}
    scored = {part: parts[part].scored if part in parts else {} for part in ("validation", "test")}
    return {
        "data_sha256": fitted.problem.data_sha256,
        "versions": record.contract.provenance.versions,
        "training_s": round(fitted.seconds, 1),
        "best_epoch": record.best_epoch,
        **{part: {who: figures_of(name, one) for who, one in found.items()} for part, found in scored.items()},
    }


def files_of(name: str, export: Export) -> dict[str, Any]:
    """Score each file again with details, and say which int8 form is recommended."""
    contract, heldout, judged = export.run.record.contract, export.run.heldout, export.judgement
    files: dict[str, Any] = {}
    for file, found in zip(export.files, judged.files, strict=True):
        scored = score(answerer_of(load(file.path), heldout), heldout, contract.outputs, contract.answer)
        files[found.precision] = {"bytes": file.size_bytes, "drop": found.drop, **figures_of(name, scored)}
    within = [form for form in ("int8", "int8w") if files[form]["drop"] <= MAX_DROP]
    shipped = next(found.precision for found in judged.files if found.name == judged.ship)
    smallest = min(within, key=lambda form: files[form]["bytes"], default=None)
    return {"recommended": shipped if shipped in within else smallest, **files}


if __name__ == "__main__":
    main()
