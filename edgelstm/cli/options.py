"""Flags that are made of fields: their names, their help and their values come from where the field is declared."""

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

Given = dict[tuple[str, str], Any]  # what was typed, by section and key of its field


class Asked(NamedTuple):
    """A field as an option of the command line.

    Attributes:
        section: of the field; empty where it has none.
        key: its name.
        kind: its type.
        option: what is said of it.
        usual: what holds where nobody gives it, in words; empty where there is nothing to say.
        panel: the heading that it is listed under.
    """

    section: str
    key: str
    kind: Any
    option: Option
    usual: str
    panel: str

    @property
    def flag(self) -> str:
        """The flag, as it is typed to switch on."""
        return self.option.flag_of(self.key)

    @property
    def name(self) -> str:
        """The parameter that typer hands over: `"hidden_size"` for `--hidden-size`."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def parameter(self) -> inspect.Parameter:
        """The option as typer takes it; None where nobody typed it."""
        kind = _typed(self.kind)
        flags = self.option.flag or (f"{self.flag}/--no-{self.flag[2:]}" if kind is bool else self.flag)
        told = typer.Option(
            flags,
            help=self._help,
            metavar=_metavar(self.kind),
            min=self.option.least,
            rich_help_panel=self.panel,
        )
        return inspect.Parameter(
            self.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, told]
        )

    @property
    def _help(self) -> str:
        option = self.option
        about = option.about + (f", {option.example}" if option.example else "")
        about += "; repeatable" if get_origin(bare(self.kind)) in (tuple, dict) else ""
        return f"{about[0].upper()}{about[1:]}.{f' [{self.usual}]' if self.usual else ''}"

    def value(self, typed: Any) -> Any:
        """Give the field's value for what was typed; its bounds are checked where it is declared.

        Raises:
            InputError: one of its pairs is none.
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
    """Take `Annotated` and None away, and one value where there may be many.

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
    """Say what a default is; nothing for none, for no and for an empty list.

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
    """Put options in the place of a command's keyword, which is given what `gather` makes of those that were typed."""
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
        """Write each heading and what stands under it."""
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
    """Say what typer shall read: a list for many, and words where the recipe or the reader says which are right."""
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
