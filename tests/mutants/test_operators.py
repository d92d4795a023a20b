"""The operators: what they change, what they leave, and that what they give is Python."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.operators import apply, mutants_of
from tests.mutants.texts import code_digest

ROOT = Path(__file__).parents[2]


def changed(source):
    """Give each mutant of a source as its kind and the whole text."""
    return {(mutant.kind, apply(mutant, source.encode()).decode()) for mutant in mutants_of("edgelstm/a.py", source)}


@pytest.mark.parametrize(
    ("kind", "source", "mutant"),
    [
        ("comparison", "def f(a): return a < b", "def f(a): return (a <= b)"),
        ("comparison", "def f(a): return a in b", "def f(a): return (a not in b)"),
        ("integer in a constant", "LIMIT = 3", "LIMIT = 4"),
        ("integer in a constant", "LIMIT = 3", "LIMIT = 2"),
        ("float in a constant", "TOLERANCE = 1e-05", "TOLERANCE = 0.0001"),
        ("float in a constant", "TOLERANCE = 0.5", "TOLERANCE = 0.05"),
        ("integer in a default", "class A:\n    steps: int = 8", "class A:\n    steps: int = 9"),
        ("integer in a default", "def f(a=2):\n    return a", "def f(a=3):\n    return a"),
        ("option ignored", "def f(a=2):\n    return a", "def f(a=2):\n    a = 2\n    return a"),
        ("option ignored", "def f(r): return g(clip=r.clip, b=1)", "def f(r): return g(b=1)"),
        ("truth", "def f(a): return True", "def f(a): return False"),
        ("and, or", "def f(a): return a and b", "def f(a): return (a or b)"),
        ("not", "def f(a): return not a", "def f(a): return (a)"),
        ("axis", "def f(a): return a.max(axis=0)", "def f(a): return a.max(axis=(-1))"),
        ("min, max, sum, mean", "def f(a): return np.sum(a)", "def f(a): return np.mean(a)"),
        ("call removed", "def f(a):\n    check(a)", "def f(a):\n    pass"),
        ("raise removed", "def f(a):\n    raise E('1')", "def f(a):\n    pass"),
        ("guard removed", "def f(a):\n    if a: return b\n    c()", "def f(a):\n    if a: pass\n    c()"),
        ("arguments swapped", "def f(a): return g(a, b, 1)", "def f(a): return g(b, a, 1)"),
        ("integer", "def f(é='ü'): return é[1]", "def f(é='ü'): return é[2]"),
    ],
)
def test_an_operator_changes_one_place(kind, source, mutant):
    assert (kind, mutant) in changed(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""A text with 1."""',
        "def f(a: Literal[1]) -> Literal[2]:\n    'A text.'",
        "def f(a): return f'{a:3d} of {a + 1}'",
        "if TYPE_CHECKING:\n    LIMIT = 1",
        "def f(a):\n    print(1, a < 2)",
        "def f(a):\n    log.warning('%d', 1)",
        "__all__ = ['a', 1]",
        "def f(a): return g(a, a)",
    ],
)
def test_what_is_said_to_people_stays(source):
    assert changed(source) == set()


def test_a_raise_goes_as_a_whole():
    assert [m.after for m in mutants_of("a.py", "def f(a):\n    raise E(f'at most {1}', 1)")] == ["pass"]


def test_limits_within_a_hint_are_reached():
    assert "4" in [m.after for m in mutants_of("a.py", "class A:\n    n: Annotated[int, Field(ge=3)] = x")]


def test_a_constant_is_covered_by_its_name_and_a_default_by_its_function():
    constant, *_ = mutants_of("a.py", "LIMIT = 3")
    assert constant.names == ("LIMIT",)
    field, *_ = mutants_of("a.py", "class A:\n    steps: int = 8")
    assert field.names == ("steps", "A")
    default, *_ = mutants_of("a.py", "def f(a=2):\n    b()\n    return a")
    assert default.lines == (2, 3)


def test_mutants_are_told_apart_by_more_than_their_lines():
    before = [m.key for m in mutants_of("a.py", "def f(a): return a[1], a[1]")]
    assert len({*before}) == len(before) == 4
    assert [m.key for m in mutants_of("a.py", "\n\ndef f(a): return a[1], a[1]")] == before


SAID = """
def f(a: Annotated[int, Option(help="How many rows.")] = 2):
    'Count.'
    # twice, for luck
    if a == "mean":
        raise E(f"needs {a} rows", "or more")
    check(a, "every row")
"""
REWORDED = """
def f(a: Annotated[int, Option(help="The number of rows, two by default.")] = 2):
    'Tell the number.'
    if a == "mean":  # once
        raise E(f"fewer rows than {a:3d}: give more", 'at least so many')
    check(
        a,
        "all the rows",
    )
"""


def test_other_words_for_people_leave_a_mutant_what_it_is():
    assert code_digest(REWORDED) == code_digest(SAID)
    keys = [mutant.key for mutant in mutants_of("a.py", SAID)]
    assert [mutant.key for mutant in mutants_of("a.py", REWORDED)] == keys
    assert len({*keys}) == len(keys) == 6


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"mean"', '"median"'),
        ("= 2", "= 3"),
        ("==", "!="),
        ("check(a", "check(b"),
        ("= 2", '= " "'),
        ("raise E", "raise F"),
    ],
)
def test_other_code_is_another_version(before, after):
    assert code_digest(SAID.replace(before, after)) != code_digest(SAID)


@pytest.mark.parametrize("text", ["' '", "', '", "f'{a} '", "f'{a}'", "'mean'", "('a', 'b')"])
def test_separators_and_words_are_no_texts(text):
    assert code_digest(f"b = {text}") != code_digest("b = ''")


@pytest.mark.parametrize("name", ["rhythm.py", "runtime/predictor.py", "recipe/sections.py"])
def test_every_mutant_is_python_and_differs(name):
    source = (ROOT / "edgelstm" / name).read_bytes()
    for mutant in mutants_of(name, source.decode()):
        assert apply(mutant, source) != source
        if mutant.line % 7 == 0:  # parsing all takes half a minute
            ast.parse(apply(mutant, source))
