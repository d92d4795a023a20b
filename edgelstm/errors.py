"""Every error that a caller of edgelstm may catch.

Each one is an `EdgeLstmError` and also the builtin that a caller would expect, so that
`except ValueError` keeps working. A message says what was expected, what came, and what to do.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from types import ModuleType
from typing import NoReturn


class EdgeLstmError(Exception):
    """The base of all errors that edgelstm raises on purpose."""


class InputError(EdgeLstmError, ValueError):
    """An array or an argument does not fit the call."""


class DataError(EdgeLstmError, ValueError):
    """A table cannot be read as a series: a column, a number, a timestamp, a gap."""


class RecipeError(EdgeLstmError, ValueError):
    """A recipe or a training option is misspelt, contradictory or out of range."""


class TrainingError(EdgeLstmError, RuntimeError):
    """A training cannot continue: the loss is NaN or infinite, or there is nothing to resume."""


class RunError(EdgeLstmError, ValueError):
    """A run directory is missing, incomplete or damaged."""


class ModelFileError(EdgeLstmError, ValueError):
    """A model file is damaged, not from edgelstm, or of a format that this version does not know."""


class ModelFileNotFoundError(ModelFileError, FileNotFoundError):
    """No model file was found at that path."""


class ContractError(ModelFileError):
    """A contract has an unknown key, a missing key, a wrong type or a newer format."""


class ProviderError(EdgeLstmError, RuntimeError):
    """The requested device or execution provider is unavailable."""


class MissingDependencyError(EdgeLstmError, ImportError):
    """A package of an extra is not installed; the message names the `pip install` that fixes it."""


class NetworkError(EdgeLstmError, ValueError):
    """A network or its weights cannot be exported: an unsupported layer, a wrong shape, NaN or infinity."""


class ExportError(EdgeLstmError, RuntimeError):
    """A network cannot be turned into a model file."""


class ParityError(ExportError):
    """The exported graph does not compute what the trained network computed.

    Attributes:
        report: the worst difference per output channel and the tolerance it broke, in physical units.
    """

    def __init__(self, message: str, report: dict[str, dict[str, float]]) -> None:
        super().__init__(message, report)
        self.report = report

    def __str__(self) -> str:
        return str(self.args[0])


class SharingError(EdgeLstmError, RuntimeError):
    """A stream or predictor is used where it must not be: by two threads at once, in a pickle, in a forked child."""


class SignatureError(EdgeLstmError, ValueError):
    """A signature is invalid: another key signed, or the file or the comment was altered."""


class SigningFileError(EdgeLstmError, ValueError):
    """A key or a signature is missing or malformed, or the password is wrong."""


class OutputError(EdgeLstmError, OSError):
    """A result could not be written; the message says whether anything was changed."""


def require(module: str, extra: str) -> ModuleType:
    """Import a package of an extra, or say how to install it.

    Args:
        module: the name to import, `"polars"`.
        extra: the extra of edgelstm that installs it, `"train"`.

    Returns:
        The imported module.

    Raises:
        MissingDependencyError: it is not installed.

    Example:
        >>> require("json", "train").__name__
        'json'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise MissingDependencyError(
            f"this needs {error.name}, which is not installed: pip install 'edgelstm[{extra}]'"
        ) from error


def one_line(error: BaseException) -> str:
    """Write an error of a library in one line, to quote it in a message of ours.

    Example:
        >>> one_line(ValueError("sizes  differ: 3 and 4"))
        'ValueError: sizes differ: 3 and 4'
    """
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Write a count with its noun, for a message.

    Args:
        count: of the things.
        noun: for one of them.
        plural: for several; without it, the noun with an s.

    Example:
        >>> counted(1, "row"), counted(1200, "row"), counted(2, "entry", "entries")
        ('1 row', '1,200 rows', '2 entries')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def either(words: Iterable[str]) -> str:
    """Write words as a choice.

    Example:
        >>> either(["int8"]), either(["int8", "int8w", "fp16"])
        ('int8', 'int8, int8w or fp16')
    """
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def assert_never(value: NoReturn) -> NoReturn:
    """End a chain of branches over literal words: mypy reports a word without a branch. In `typing` from Python 3.11.

    Raises:
        AssertionError: the word is not one of the type's.
    """
    raise AssertionError(f"expected a known word, got {value!r}")
