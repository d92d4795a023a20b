"""`edgelstm import`: networks that were trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgelstm.network import Layer

app = typer.Typer(
    help="Bring a network that was trained elsewhere: write a run directory, for edgelstm export.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _family() -> None:
    """Keep `import` a family of commands, even of one."""


@app.command("torch")
def import_torch(
    weights: Annotated[Path, typer.Argument(help="A state dict: .safetensors, .json, or what torch.save wrote.")],
    window: Annotated[int, typer.Option(min=1, help="Steps of a training window.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The run directory. [runs/NAME]")] = None,
    name: Annotated[str | None, typer.Option(help="Of the run and its files. [that of the weights]")] = None,
    task: Annotated[str, typer.Option(help="forecast, classify or label.")] = "forecast",
    horizon: Annotated[int, typer.Option(min=1, help="Steps it forecasts at once.")] = 1,
    state: Annotated[str, typer.Option(help="window or carried, as it was trained.")] = "window",
    input_: Annotated[list[str] | None, typer.Option("--input", help="Name of an input; repeatable. [x0]")] = None,
    output_name: Annotated[list[str] | None, typer.Option(help="Name of an output; repeatable. [y0]")] = None,
    activation: Annotated[str, typer.Option(help="Function between linear layers: relu, ..., none.")] = "",
    final: Annotated[str, typer.Option(help="Function behind the last layer: softmax, sigmoid, ...")] = "",
    take: Annotated[str, typer.Option(help="What is taken of both directions: last step or final states.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run that lies there.")] = False,
) -> None:
    """Read the weights of LSTMs and the linear layers behind them, whose names tell the network."""
    from edgelstm.importers.torch_weights import Names, import_weights

    called = name or weights.stem
    run = import_weights(
        weights,
        output or Path("runs") / called,
        window=window,
        inputs=input_ or (),
        outputs=output_name or (),
        task=task,
        horizon=horizon,
        state=state,
        names=Names(activation, final, take),
        name=called,
        overwrite=overwrite,
    )
    if run.record.network is not None:
        print("\n".join(_words(layer) for layer in run.record.network.layers))
    print(f"wrote {run.path}; next: edgelstm export {run.path} --quantize")


def _words(layer: Layer) -> str:
    """A layer in a line: `lstm (input_size 1, hidden_size 8)`."""
    name = getattr(layer, "name", layer.kind)
    told = {key: value for key, value in layer._asdict().items() if isinstance(value, (int, str)) and value}
    return f"{name} ({', '.join(f'{k} {v}' for k, v in told.items() if k not in ('name', 'kind', 'bias'))})"
