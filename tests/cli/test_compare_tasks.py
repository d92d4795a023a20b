"""`edgelstm compare --data` of series to classify and to label, out of one table that tells them apart."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgelstm import load
from edgelstm.export import export_run
from tests.cli.test_bad_input import assert_one_line_and_exit_2
from tests.tiny_runs import examples_of, write_tiny

QUICK = ("--seconds", "0.01", "-o", "judgement.json")


def files_of(folder, *asked, **options):
    """A tiny run's two files."""
    write_tiny(folder / "run", *asked, **options)
    return [file.path for file in export_run(folder / "run", precisions=["int8"]).files]


def write_table(path, examples, columns, cells):
    """One row for each sample: its series, its channels, and what `cells(series, row)` says."""
    lines = [",".join(["unit", "p", "q", *columns])]
    for i in range(len(examples)):
        for k, row in enumerate(examples.x(i)):
            lines.append(",".join([f"unit {i}", *map(str, row), *map(str, cells(i, k))]))
    path.write_text("\n".join(lines) + "\n")


def judged(folder, process):
    assert process.returncode == 0, process.stderr
    return json.loads((folder / "judgement.json").read_text())


@pytest.mark.parametrize("state", ["window", "carried"])
def test_series_to_classify_are_scored_by_the_share_that_is_right(state, cli_here, tmp_path):
    files = files_of(tmp_path, "classify", "class", state, lengths=state == "window")
    examples = examples_of("classify", "class", seed=7)
    write_table(tmp_path / "test.csv", examples, ["state"], lambda i, k: ["abc"[examples.targets[i]]])
    options = ("--data", "test.csv", "--series", "unit", "--label", "state")
    judgement = judged(tmp_path, cli_here("compare", *files, *options, *QUICK))
    assert judgement["metric"] == "accuracy"
    for path, found in zip(files, judgement["files"], strict=True):
        predictor, right = load(path), []
        for i, truth in enumerate(examples.targets):
            x = examples.x(i)
            y = predictor.stream().run(x)[-1] if state == "carried" else predictor.predict(x, len(x))
            right.append(y.argmax() == truth)
        assert found["metric"] == np.mean(right)


def test_series_to_label_are_scored_at_every_row_from_a_zero_state(cli_here, tmp_path):
    files = files_of(tmp_path, "label", "number", "carried")
    examples = examples_of("label", "number", seed=7)
    truth = np.random.default_rng(3).normal(size=examples.targets.shape).round(4)
    write_table(tmp_path / "test.csv", examples, ["u", "v"], lambda i, k: truth[examples.starts[i] + k])
    judgement = judged(tmp_path, cli_here("compare", *files, "--data", "test.csv", "--series", "unit", *QUICK))
    assert (judgement["steps"], judgement["series"]) == (len(truth), 3)
    for path, found in zip(files, judgement["files"], strict=True):
        predictor = load(path)
        y = np.concatenate([predictor.stream().run(examples.x(i)) for i in range(3)])
        error = (y - truth) / [1.5, 3.0]
        assert found["metric"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)


def test_options_about_a_table_mean_nothing_without_one(cli_here, tmp_path):
    files = files_of(tmp_path, "classify", "class", lengths=True)
    for option in ("--format", "--series", "--label", "--missing", "--time"):
        process = cli_here("compare", *files, option, "unit", *QUICK)
        assert_one_line_and_exit_2(process, f"{option} needs a table")


def test_a_class_that_the_file_does_not_know_is_refused(cli_here, tmp_path):
    files = files_of(tmp_path, "classify", "class", lengths=True)
    examples = examples_of("classify", "class")
    write_table(tmp_path / "test.csv", examples, ["state"], lambda i, k: ["d"])
    options = ("--data", "test.csv", "--series", "unit", "--label", "state")
    assert_one_line_and_exit_2(cli_here("compare", *files, *options, *QUICK), "'d'")
    assert not (tmp_path / "judgement.json").exists()
