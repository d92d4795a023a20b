"""The mutants of a source file: one small change each, of what the code does, never of what it says to people."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from tests.mutants.texts import without_texts

COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
PAIRS = (("min", "max"), ("minimum", "maximum"), ("sum", "mean"), ("any", "all"), ("argmin", "argmax"))
SISTERS = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
TOLD = {"print", "warn", "echo", "secho", "debug", "info", "warning", "error", "exception", "log"}


class Mutant(NamedTuple):
    """A change of a file: bytes `start` to `end` become `after`."""

    file: str
    line: int
    kind: str
    before: str
    after: str
    start: int
    end: int
    lines: tuple[int, ...]  # a test that runs one of these covers it
    names: tuple[str, ...]  # outside functions: what runs a line with one of these names, anywhere, covers it
    key: str  # stays the same when other lines of the file move and when a text for people changes


class Place(NamedTuple):
    """Where the walk stands."""

    statement: ast.stmt | None = None
    function: ast.AST | None = None
    owner: str = ""  # the class around a field
    what: str = ""  # " in a default" or " in a constant"
    keyword: str = ""


def mutants_of(file: str, source: str) -> list[Mutant]:
    """Give every mutant of a file, in the order of its text.

    >>> [m.after for m in mutants_of("a.py", "LIMIT = 3\\n")]
    ['4', '2']
    """
    offsets = [0]
    for line in source.encode().splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    found, same = [], Counter()
    for node, kind, after, place in _walk(ast.parse(source), Place()):
        start = offsets[node.lineno - 1] + node.col_offset
        end = offsets[node.end_lineno - 1] + node.end_col_offset
        before = source.encode()[start:end].decode()
        if kind == "option ignored" and isinstance(node, ast.stmt):  # stands before the first line of a function
            before, end = "", start
        lines, names = _covered_by(node, place)
        what = before and ast.unparse(without_texts(node)), ast.unparse(without_texts(ast.parse(after.strip())))
        change = f"{file} {kind} {getattr(place.function, 'name', names)} {' '.join(what)}"
        same[change] += 1
        key = f"{change} {same[change]}"
        found.append(Mutant(file, node.lineno, kind, before, after, start, end, lines, names, key))
    return found


def apply(mutant: Mutant, source: bytes) -> bytes:
    """Give the source with the change."""
    return source[: mutant.start] + mutant.after.encode() + source[mutant.end :]


def _covered_by(node, place):
    if place.function is None:
        targets = getattr(place.statement, "targets", None) or [getattr(place.statement, "target", None)]
        names = [getattr(target, "id", "") for target in targets] + [place.owner]
        return (), tuple(name for name in names if name)
    if place.what:
        body = place.function.body
        return tuple(range(body[0].lineno, body[-1].end_lineno + 1)), ()
    return (place.statement.lineno, *range(node.lineno, node.end_lineno + 1)), ()


def _walk(node, place) -> Iterator[tuple[ast.AST, str, str, Place]]:
    if isinstance(node, (ast.Raise, ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom)):
        if isinstance(node, ast.Raise):
            yield node, "raise removed", "pass", place._replace(statement=node)
        return
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Call) and _name(node.func) in TOLD:
        return
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield from _function(node, place)
        return
    if isinstance(node, ast.ClassDef):
        place = place._replace(owner=node.name, statement=node)
    elif isinstance(node, ast.stmt):
        place = place._replace(statement=node)
        if place.function is None and isinstance(node, (ast.Assign, ast.AnnAssign)):
            place = place._replace(what=" in a default" if place.owner else " in a constant")
        if getattr(node, "targets", None) and _name(node.targets[0]) == "__all__":
            return
    if isinstance(node, ast.If) and not node.orelse and isinstance(node.body[0], ast.Return):
        yield node.body[0], "guard removed", "pass", place._replace(statement=node.body[0])
    yield from ((node, kind, after, place) for kind, after in _changes(node, place))
    for field, value in ast.iter_fields(node):
        inner = place._replace(keyword=node.arg or "") if isinstance(node, ast.keyword) else place
        if field == "decorator_list":
            continue
        for child in value if isinstance(value, list) else [value]:
            if field == "annotation" or field == "returns":  # of a hint, only the limits that a call in it sets
                for call in (c for c in ast.walk(child) if isinstance(c, ast.Call)) if child else ():
                    yield from _walk(call, inner)
            elif isinstance(child, ast.AST):
                yield from _walk(child, inner)


def _function(node, place):
    if any(_name(decorator) == "overload" for decorator in node.decorator_list):
        return  # a hint
    inner = Place(statement=node, function=node)
    arguments = node.args
    for hint in (argument.annotation for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)):
        for call in (c for c in ast.walk(hint) if isinstance(c, ast.Call)) if hint else ():
            yield from _walk(call, inner._replace(what=" in a default"))
    positional = (*arguments.posonlyargs, *arguments.args)
    pairs = [*zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)]
    pairs += [(name, value) for name, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value]
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    for argument, value in pairs:
        yield from _walk(value, inner._replace(what=" in a default"))
        if body and body[0].lineno > value.end_lineno and not isinstance(body[0], (ast.FunctionDef, ast.ClassDef)):
            text = f"{argument.arg} = {ast.unparse(value)}\n{' ' * body[0].col_offset}"
            yield body[0], "option ignored", text, inner._replace(statement=body[0])
    for statement in body:
        yield from _walk(statement, inner)


def _name(node):
    return getattr(node, "id", getattr(node, "attr", ""))


def _changes(node, place) -> Iterator[tuple[str, str]]:
    """Give kind and text of each change of this node itself."""
    if isinstance(node, ast.Constant):
        yield from _constants(node, place)
    elif isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            other = copy.deepcopy(node)
            other.ops[at] = COMPARISONS[type(operator)]()
            yield "comparison", f"({ast.unparse(other)})"
    elif isinstance(node, ast.BoolOp):
        operator = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "and, or", f"({ast.unparse(ast.BoolOp(operator, node.values))})"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not", f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _name(node.value.func) not in TOLD:
        yield "call removed", "pass"
    elif isinstance(node, ast.Call):
        yield from _calls(node)


def _constants(node, place):
    value = node.value
    if place.keyword == "strict":  # of zip: an assertion
        return
    if isinstance(value, bool):
        yield f"truth{place.what}", str(not value)
    elif isinstance(value, int):
        kind = "axis" if place.keyword in ("axis", "dim") else f"integer{place.what}"
        yield kind, str(value + 1)
        yield kind, f"({value - 1})" if value < 1 else str(value - 1)
    elif isinstance(value, float):
        for other in (value * 2, value * 10, value / 10) if value else (1.0,):
            yield f"float{place.what}", repr(other) if abs(other) != float("inf") else 'float("inf")'


def _calls(node):
    sister = SISTERS.get(_name(node.func))
    if sister:
        other = copy.copy(node)
        function = copy.copy(node.func)
        setattr(function, "id" if isinstance(function, ast.Name) else "attr", sister)
        other.func = function
        yield "min, max, sum, mean", ast.unparse(other)
    first = node.args[:2]
    if len({ast.dump(a) for a in first}) == 2 and all(isinstance(a, (ast.Name, ast.Attribute)) for a in first):
        other = copy.copy(node)
        other.args = [node.args[1], node.args[0], *node.args[2:]]
        yield "arguments swapped", ast.unparse(other)
    for keyword in node.keywords:
        if keyword.arg and isinstance(keyword.value, ast.Attribute) and keyword.value.attr == keyword.arg:
            other = copy.copy(node)
            other.keywords = [each for each in node.keywords if each is not keyword]
            yield "option ignored", ast.unparse(other)
