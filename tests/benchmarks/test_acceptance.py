"""The pure parts of `make acceptance`: what is asked for, what holds, and what comes into the cards."""

from __future__ import annotations

import json

import pytest

from benchmarks import case_runs
from benchmarks.acceptance import __main__ as acceptance
from benchmarks.acceptance import cases, tables


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path):
    """Data sets that nobody reads."""
    monkeypatch.setenv("EDGELSTM_DATA", str(tmp_path))


def made_up(name, seed, rmse=0.5, recommended="int8"):
    """A result as a worker writes it."""
    scores = {figure.name: rmse for figure in cases.CASES[name].figures}
    test = {"network": scores, "persistence": dict.fromkeys(scores, 2.0)}
    files = {form: {"bytes": 12345, "drop": 0.001, **scores} for form in ("fp32", "int8", "int8w")}
    return {
        "recipe_sha256": cases.recipe_digest(name, seed),
        "seed": seed,
        "training_s": 9.6,
        "validation": {who: dict.fromkeys(found, 0.4) for who, found in test.items()},
        "test": test,
        "files": {"recommended": recommended, **files},
    }


def write(folder, name, seed, **changes):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.{seed}.json").write_text(json.dumps({**made_up(name, seed), **changes}))


@pytest.fixture
def worker(monkeypatch):
    """Stand for the process of a case: it fails for some, and notes what was started."""

    class Worker:
        started: list = []  # noqa: RUF012
        failing: tuple = ()

        def __call__(self, bench, name, seed, output):
            self.started.append((name, seed))
            if name in self.failing:
                return case_runs.Ended("out of luck; see its log", 0.0)
            write(output, name, seed)
            return case_runs.Ended("", 0.0)

    worker = Worker()
    worker.started = []
    monkeypatch.setattr(case_runs, "run_case", worker)
    return worker


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--only", "cmaps"], "--only: there is no case 'cmaps'; did you mean 'cmapss'?"),
        (["--only", "co2,"], "--only: there is no case ''; expected one of co2,"),
        (["--seeds", "0,one"], "--seeds: expected whole numbers such as 0,1,2, got '0,one'"),
        (["--seeds", "-1"], "--seeds: expected"),
    ],
)
def test_what_does_not_exist_is_refused_in_one_line(capsys, arguments, complaint):
    with pytest.raises(SystemExit) as ended:
        acceptance.main([f"{arguments[0]}={arguments[1]}"])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"acceptance: {complaint}")


def test_without_the_data_one_line_says_what_is_missing(capsys, monkeypatch):
    monkeypatch.delenv("EDGELSTM_DATA")
    assert acceptance.main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "EDGELSTM_DATA must name the folder" in line


def test_a_case_that_fails_costs_no_other_one(worker, tmp_path, capsys):
    worker.failing = ("etth1-96",)
    assert acceptance.main(["--only", "etth1-96,co2,cmapss", "--output", str(tmp_path / "found")]) == 1
    out, err = capsys.readouterr()
    assert "etth1-96, seed 0: failed: out of luck; see its log" in err
    assert "no result  NOT REACHED" in out
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == ["cmapss.0.json", "co2.0.json"]


def test_a_second_start_goes_on_with_what_is_missing_or_of_an_older_recipe(worker, tmp_path):
    output = tmp_path / "found"
    write(output, "co2", 0)
    write(output, "co2", 1, recipe_sha256="of a recipe that was changed since")
    (output / "co2.2.json").write_text('{"recipe_sha256": ')  # not written by a worker: those appear whole
    assert acceptance.main(["--only", "co2", "--seeds", "0,1,2,3,3", "--output", str(output)]) == 0
    assert sorted(worker.started) == [("co2", 1), ("co2", 2), ("co2", 3)]


def test_a_bar_that_is_missed_fails(worker, tmp_path, capsys):
    write(tmp_path / "found", "co2", 0, test={"network": {"RMSE": 0.6, "MAE": 0.5}})
    assert acceptance.main(["--only", "co2", "--output", str(tmp_path / "found")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("0.6000  bar < 0.506  NOT REACHED")
    assert not lines[1].endswith("NOT REACHED")  # there is no bar for MAE


def test_no_int8_form_within_the_limit_fails(tmp_path, capsys):
    result = made_up("co2", 0, recommended=None)
    write(tmp_path, "co2", 0, files=result["files"])
    assert not acceptance.report(tmp_path, ["co2"], [0])
    assert "none within 1 %  NOT REACHED" in capsys.readouterr().out


@pytest.mark.parametrize(("higher", "held"), [(False, [True, False, False]), (True, [False, True, True])])
def test_an_error_lies_below_its_bar_and_an_accuracy_reaches_it(higher, held):
    figure = cases.Figure("x", None, 0.5, higher)
    assert [figure.holds(value) for value in (0.4, 0.5, 0.6)] == held


def test_tables_hold_every_seed_and_the_mean_but_no_result_of_an_older_recipe(tmp_path):
    for seed, rmse in enumerate((0.4, 0.5, 0.9)):
        result = made_up("co2", seed, rmse)
        write(tmp_path, "co2", seed, test=result["test"], **({"recipe_sha256": "older"} if seed == 2 else {}))
    assert tables.results_of(tmp_path, "co2")[2] is None
    lines = tables.tables_of("co2", tmp_path)[0].splitlines()
    assert lines[2] == "|  | validation RMSE | RMSE | MAE |"
    assert "| persistence | 0.4000 | 2.0000 | 2.0000 |" in lines
    assert "| LSTM, seed 1 | 0.4000 | 0.5000 | 0.5000 |" in lines
    assert "| **LSTM, mean of 2 seeds** | **0.4000** ± 0.0000 | **0.4500** ± 0.0500 | **0.4500** ± 0.0500 |" in lines
    assert "| int8 file, recommended, 12,345 bytes |  | 0.5000 | 0.5000 |" in lines
    assert "0.9000" not in "\n".join(lines)


def test_tables_stand_between_the_marks_and_writing_them_twice_changes_nothing():
    card = f"before\n{tables.BEGIN}\nnot measured yet\n{tables.END}\nafter \\1\n"
    assert tables.with_tables(card, []) == card
    once = tables.with_tables(card, ["| one |", "| two |"])
    assert once == f"before\n{tables.BEGIN}\n\n| one |\n\n| two |\n\n{tables.END}\nafter \\1\n"
    assert tables.with_tables(once, ["| one |", "| two |"]) == once
    with pytest.raises(ValueError, match="expected a card with the marks"):
        tables.with_tables("no marks", ["| one |"])
