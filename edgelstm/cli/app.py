"""The `edgelstm` command: its subcommands, and the one place that prints errors."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from edgelstm import __version__
from edgelstm.cli import bench, demo, device, doctor, evaluate, export, importing, predict, signing
from edgelstm.cli.options import Panelled
from edgelstm.errors import EdgeLstmError, SignatureError

_USAGE_ERROR: Any = typer.BadParameter.__mro__[1]  # click's UsageError, whose module typer does not name
# The options of these commands are keys of a recipe and need pydantic, which a device lacks: they are made when called.
_OF_A_RECIPE = {
    "train": "Train an LSTM on a table and write a run directory.",
    "finetune": "Train a run further: for its int8 file, or on your own table.",
}
FAILED = 1  # the input is well-formed, and the answer is no, as for a replay that fails
BAD_INPUT = 2


class WordsForErrors(TyperGroup):
    """Turns every error that edgelstm raises on purpose into one line and exit status 2; 1 for an invalid signature."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command; one whose options are keys of a recipe is made here."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, _of_a_recipe(name) if name in _OF_A_RECIPE else command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; with `--debug` an error keeps its traceback."""
        try:
            return super().invoke(ctx)
        except _USAGE_ERROR as error:  # a wrong option of a command; without any arguments, its help
            if ctx.params.get("debug") or type(error).__name__ == "NoArgsIsHelpError":
                raise
            command = error.ctx.command_path if error.ctx is not None else ctx.command_path
            print(f"edgelstm: {error.format_message().rstrip('.')}; see {command} --help", file=sys.stderr)
            raise typer.Exit(BAD_INPUT) from error
        except BrokenPipeError:  # the reader of our output has closed it
            raise
        except (EdgeLstmError, OSError) as error:  # the message of an OSError is as good as ours
            if ctx.params.get("debug"):
                raise
            message = " ".join(str(error).split())
            print(f"edgelstm: {message}", file=sys.stderr)
            raise typer.Exit(FAILED if isinstance(error, SignatureError) else BAD_INPUT) from error


def _of_a_recipe(name: str) -> Any:
    """Make a command whose options are keys of a recipe; its help is the summary in the list of commands."""
    from edgelstm.cli import train

    commands: Any = typer.main.get_command(train.app)
    command = commands.commands[name]
    command.help = _OF_A_RECIPE[name]
    return command


def _later() -> None:
    """Take the place, in the list of commands, of one that is made when it is called."""


app = typer.Typer(
    cls=WordsForErrors,
    name="edgelstm",
    help="Train an LSTM in PyTorch, get one ONNX file, run it anywhere onnxruntime runs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"edgelstm {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    pass


for name, about in _OF_A_RECIPE.items():
    app.command(name, short_help=about)(_later)
app.command("export", cls=export.ExportCommand, short_help="Write the ONNX files of a run.")(export.export)
app.command("compare", cls=Panelled, short_help="Compare model files side by side on this machine.")(export.compare)
app.command("evaluate", cls=Panelled, short_help="Score a run or a file against baselines.")(evaluate.evaluate)
app.command("verify", short_help="Replay the golden vectors of a file on this machine.")(device.verify)
app.command("inspect", short_help="Print contract, graph and metrics of a file.")(device.inspect)
app.command("predict", cls=Panelled, short_help="Forecast, classify or label a table.")(predict.predict)
app.command("bench", short_help="Measure a file on this machine; compare with earlier figures.")(bench.bench)
app.command("doctor", short_help="Say what is wrong with this device and how to fix it.")(doctor.doctor)
app.command("keygen", short_help="Make a key pair in minisign's format.")(signing.keygen)
app.command("sign", short_help="Sign model files.")(signing.sign)
app.command("demo", short_help="Train, export and run on weekly CO2 at Mauna Loa.")(demo.demo)
app.add_typer(importing.app, name="import", short_help="Import a network that was trained elsewhere.")


def main() -> None:
    """Run the command line."""
    app()
