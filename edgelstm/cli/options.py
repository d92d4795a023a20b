"""Flags that are made from fields: name, help and value come from the declaration of the field."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import typer
from typer.core import TyperCommand

from edgelstm.errors import InputError
from edgelstm.options import Option

Given = dict[tuple[str, str], Any]  # the given values, by section and key of their fields


class Asked(NamedTuple):
    """A field as an option of the command line.

    Attributes:
        section: of the field; empty if it has none.
        key: the name of the field.
        kind: the type of the field.
        option: its description.
        usual: its default in words; empty for none.
        panel: the heading in the help that lists it.
    """

    section: str
    key: str
    kind: Any
    option: Option
    usual: str
    panel: str

    @property
    def flag(self) -> str:
        """The flag, in the form that switches it on."""
        return self.option.flag_of(self.key)

    @property
    def name(self) -> str:
        """The parameter that typer passes: `"hidden_size"` for `--hidden-size`."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def parameter(self) -> inspect.Parameter:
        """The option for typer; its value is None if it is not given."""
        kind = _typed(self.kind)
        flags = self.option.flag or (f"{self.flag}/--no-{self.flag[2:]}" if kind is bool else self.flag)
        described = typer.Option(
            flags,
            help=self._help,
            metavar=_metavar(self.kind),
            min=self.option.least,
            rich_help_panel=self.panel,
        )
        return inspect.Parameter(
            self.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, described]
        )

    @property
    def _help(self) -> str:
        option = self.option
        about = option.about + (f", {option.example}" if option.example else "")
        about += "; repeatable" if get_origin(bare(self.kind)) in (tuple, dict) else ""
        return f"{about[0].upper()}{about[1:]}.{f' [{self.usual}]' if self.usual else ''}"

    def value(self, typed: Any) -> Any:
        """Give the value of the field for what was given; the field checks its bounds.

        Raises:
            InputError: a pair is not COLUMN=VALUE.
        """
        kind = bare(self.kind)
        if get_origin(kind) is dict:
            return dict(self._pair(text) for text in typed)
        if get_origin(kind) is tuple and bare(get_args(kind)[0]) == int | str:
            return [int(text) if text.isdigit() else text for text in typed]
        return typed

    def _pair(self, text: str) -> tuple[str, str]:
        column, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"{self.flag}: expected COLUMN=VALUE such as {self.option.example}, got {text!r}")
        return column, value


def bare(kind: Any) -> Any:
    """Strip `Annotated` and None from a type; of one value or a tuple of them, take the tuple.

    Example:
        >>> bare(Annotated[int, "bound"] | None), bare(str | tuple[str, ...] | None), bare(int | str)
        (<class 'int'>, tuple[str, ...], int | str)
    """
    if get_origin(kind) is Annotated:
        return bare(get_args(kind)[0])
    if get_origin(kind) not in (Union, UnionType):
        return kind
    kinds = [bare(one) for one in get_args(kind) if one is not type(None)]
    return next((one for one in kinds if get_origin(one) is tuple), kinds[0] if len(kinds) == 1 else kind)


def usual_words(default: Any) -> str:
    """Write a default; empty for None, False and an empty list.

    Example:
        >>> [usual_words(default) for default in (None, 1.0, 0.15, "adamw", False, True, ())]
        ['', '1', '0.15', 'adamw', '', 'yes', '']
    """
    if isinstance(default, bool) or default in (None, (), {}):
        return "yes" if default is True else ""
    return default if isinstance(default, str) else f"{default:g}"


def with_options(
    command: Callable[..., None], place: str, options: Sequence[Asked], gather: Callable[[Given], Any]
) -> Callable[..., None]:
    """Replace a keyword of a command by options; the keyword receives what `gather` makes of the given ones."""
    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        parameters += [one.parameter for one in options] if parameter.name == place else [parameter]

    @functools.wraps(command)
    def wrapped(**arguments: Any) -> None:
        typed = {option: arguments.pop(option.name) for option in options}
        given = {(one.section, one.key): one.value(value) for one, value in typed.items() if value not in (None, [])}
        command(**arguments, **{place: gather(given)})

    wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped


class Panelled(TyperCommand):
    """A command whose help lists options under the headings of their panels."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write each heading and its options."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
            if record is not None:
                panels.setdefault(getattr(parameter, "rich_help_panel", None) or usual, []).append(record)
        for panel, records in panels.items():
            with formatter.section(panel):
                formatter.write_dl(records)


def _typed(kind: Any) -> Any:
    """Give the type that typer reads: a list for many values; text where the recipe or the reader checks the value."""
    kind = bare(kind)
    if get_origin(kind) is tuple:
        return list[_typed(get_args(kind)[0])]  # type: ignore[misc]
    if get_origin(kind) is dict:
        return list[str]
    return kind if kind in (bool, int, float) else str


def _metavar(kind: Any) -> str | None:
    kind = bare(kind)
    if get_origin(kind) is tuple:
        return _metavar(get_args(kind)[0])
    if get_origin(kind) is Literal:
        return f"[{'|'.join(get_args(kind))}]"
    return "COLUMN=VALUE" if get_origin(kind) is dict else None
