"""The `edgelstm` command: its families of commands, and one place that words errors."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from edgelstm import __version__
from edgelstm.cli import bench, demo, device, doctor, export, importing, signing, train
from edgelstm.errors import EdgeLstmError, SignatureError

FAILED = 1  # as a replay that fails: the input is well-formed, and the answer is no
BAD_INPUT = 2


class WordsForErrors(TyperGroup):
    """Turns every error that edgelstm raises on purpose into one line and exit status 2; 1 for a false signature."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; `--debug` lets the trace through."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # whoever read our output has had enough
            raise
        except (EdgeLstmError, OSError) as error:  # an OSError is the disk's or the system's word, as good as ours
            if ctx.params.get("debug"):
                raise
            message = " ".join(str(error).split())
            print(f"edgelstm: {message}", file=sys.stderr)
            raise typer.Exit(FAILED if isinstance(error, SignatureError) else BAD_INPUT) from error


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
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole trace of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    pass


app.command("train")(train.train)
app.command("finetune")(train.finetune)
app.command("export", cls=export.ExportCommand)(export.export)
app.command("compare")(export.compare)
app.command("verify")(device.verify)
app.command("inspect")(device.inspect)
app.command("predict")(device.predict)
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)
app.command("keygen")(signing.keygen)
app.command("sign")(signing.sign)
app.command("demo")(demo.demo)
app.add_typer(importing.app, name="import")


def main() -> None:
    """Run the command line."""
    app()
