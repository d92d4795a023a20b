"""What a source does, without what it says to people: comments, docstrings, messages, help."""

from __future__ import annotations

import ast
import copy
import hashlib


def without_texts(node: ast.AST) -> ast.AST:
    """Give a copy of a tree whose docstrings and texts are empty; a text has a letter and a blank.

    >>> ast.unparse(without_texts(ast.parse('if a == "mean": raise E(f"{a} of 3")')))
    "if a == 'mean':\\n    raise E('')"
    """
    return _Silent().visit(copy.deepcopy(node))


def code_digest(source: str) -> str:
    """Give what stays the same as long as only texts, comments and lines change."""
    return hashlib.sha256(ast.dump(without_texts(ast.parse(source))).encode()).hexdigest()[:12]


class _Silent(ast.NodeTransformer):
    def visit_Constant(self, node):
        return ast.Constant("") if _is_text(node) else node

    def visit_JoinedStr(self, node):
        return ast.Constant("") if any(map(_is_text, node.values)) else self.generic_visit(node)

    def visit_FormattedValue(self, node):
        node.value = self.visit(node.value)
        return node

    def visit_Expr(self, node):
        docstring = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.Expr(ast.Constant("")) if docstring else self.generic_visit(node)


def _is_text(node):
    value = getattr(node, "value", None)
    return isinstance(value, str) and " " in value and any(map(str.isalpha, value))
