"""A task is asked for its traits, and every choice between tasks is complete: a new task is a word and a row."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import edgelstm
from edgelstm.contract import ANSWERS, PRECISIONS, STATES, TASKS, Task, traits_of
from edgelstm.contract.traits import has_integers, runs_rows_apart
from edgelstm.data.readers.formats import FORMATS
from edgelstm.data.readers.text import foreign
from edgelstm.options import TABLE_FORMATS, TableFormat
from edgelstm.quantization import LEVELS
from edgelstm.recipe import Recipe

PACKAGE = Path(edgelstm.__file__).parent
# The word itself, where no property could say it.
OWNERS = {
    "contract/older.py",  # files of format 1 knew three tasks and no answer: what those words meant never changes
}


def comparisons(text):
    """List the lines that choose by the name of a task: compare it, or look it up in a table of names.

    A `match` that ends in `assert_never` is complete, which mypy sees; one that does not is listed.
    """
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            chosen = any(about_a_task(side) for side in sides) and any(words_in(side) for side in sides)
        elif isinstance(node, ast.Dict):
            chosen = len([key for key in node.keys if key is not None and words_in(key)]) > 1
        elif isinstance(node, ast.Match):
            chosen = any(words_in(case.pattern) for case in node.cases) and not ends_in_assert_never(node)
        else:
            continue
        if chosen:
            found.append(node.lineno)
    return found


def about_a_task(node):
    """Whether an expression names a task: `task`, `contract.task`, `recipe["task"]`, `value.get("task")`."""
    names = {
        getattr(part, "id", None) or getattr(part, "attr", None) or getattr(part, "value", None)
        for part in ast.walk(node)
        if isinstance(part, (ast.Name, ast.Attribute, ast.Constant))
    }
    return "task" in names


def words_in(node):
    return [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and part.value in TASKS]


def ends_in_assert_never(node):
    last = node.cases[-1]
    return (
        isinstance(last.pattern, ast.MatchAs)
        and last.pattern.pattern is None
        and ast.unparse(last.body[0]).startswith("assert_never(")
    )


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_line_takes_a_task_by_its_name(path):
    if path.relative_to(PACKAGE).as_posix() in OWNERS:
        assert comparisons(path.read_text()), "it compares no name any more: remove it from OWNERS"
        return
    assert not comparisons(path.read_text()), "ask for a trait of the task (edgelstm/contract/traits.py)"


COMPLETE = """
match task:
    case "forecast":
        pass
    case _:
        assert_never(task)
"""


@pytest.mark.parametrize(
    "text",
    [
        'if contract.task == "forecast": pass',
        'x = "label" != task',
        'x = recipe.task in ("classify", "label")',
        'x = value.get("task") not in {"label"}',
        'x = recipe["task"] == "label"',
        'x = {"forecast": 1, "classify": 2}[task]',
        COMPLETE.replace("assert_never(task)", "pass"),
        COMPLETE.replace("    case _:\n        assert_never(task)\n", ""),
    ],
)
def test_a_choice_by_name_is_noticed(text):
    assert comparisons(text)


@pytest.mark.parametrize("text", ["x = task in TASKS", 'x = "label" in about', COMPLETE])
def test_a_word_that_chooses_nothing_is_allowed(text):
    assert not comparisons(text)


# The tables that must be complete.


@pytest.mark.parametrize("task", TASKS)
def test_an_answer_has_one_place(task):
    traits = traits_of(task)
    assert [traits.has_horizon, traits.every_step, traits.whole_series].count(True) == 1
    assert set() < set(traits.answers) <= set(ANSWERS)
    assert set() < set(traits.states) <= set(STATES)


def test_an_unknown_task_has_no_traits():
    with pytest.raises(AssertionError, match="expected a known word, got 'score'"):
        traits_of("score")


def test_every_task_that_a_recipe_offers_can_be_trained():
    pytest.importorskip("torch")
    from edgelstm.train.tasks import TASKS as TRAINERS

    assert set(TRAINERS) == set(get_args(get_type_hints(Recipe)["task"])) == set(get_args(Task))
    assert all(trainer.name == task for task, trainer in TRAINERS.items())


def test_the_precisions_with_integers_are_those_with_levels():
    assert [precision for precision in PRECISIONS if has_integers(precision)] == list(LEVELS)
    assert [precision for precision in PRECISIONS if runs_rows_apart(precision)] == ["int8"]


def test_every_format_that_has_a_name_is_read():
    assert list(get_args(TableFormat)) == list(TABLE_FORMATS) == list(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_the_specification_knows_every_format(name):
    line = next(line for line in (PACKAGE / "FORMAT.md").read_text().splitlines() if line.startswith("| `format` |"))
    assert f"`{name}`" in line


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_that_is_read_is_refused_as_foreign(name):
    if FORMATS[name].start:
        foreign.refuse(FORMATS[name].start + bytes(100), "x")
