"""The networks of the peers: drawn once per size, written in every format that a peer reads.

One LSTM layer, 8 inputs, then a linear layer of one output, float32, no scaling. The weights are torch's initial ones.
`tflite_files.py` makes the LiteRT files from `weights.npz` in a separate environment.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

FEATURES, STEPS = 8, 64
HIDDEN = (16, 64, 128, 256, 512)
PRECISIONS = ("fp32", "int8", "int8w")


class Case(NamedTuple):
    """What is timed: one call on some number of streams.

    Attributes:
        hidden: H.
        what: `"step"`: one sample of each stream, its state carried on; `"window"`: 64 steps from a zero state.
        streams: B.
    """

    hidden: int
    what: str
    streams: int

    @property
    def name(self) -> str:
        return f"{self.what}{self.hidden}x{self.streams}"


# A window of 1,000 rows and 512 units takes seconds; one of 64 units shows as much.
CASES = (
    *(Case(hidden, what, 1) for hidden in HIDDEN for what in ("step", "window")),
    *(Case(hidden, "step", 1000) for hidden in HIDDEN),
    *(Case(hidden, "window", 1000) for hidden in (16, 64)),
)


class Window(torch.nn.Module):
    """What a person would write: x [B, T, F] to one answer [B, 1]."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(FEATURES, hidden, batch_first=True)
        self.head = torch.nn.Linear(hidden, 1)

    def forward(self, x: Any) -> Any:
        y, _ = self.lstm(x)
        return self.head(y[:, -1])


class Step(Window):
    """The same with its state as input and output, to step it."""

    def forward(self, x: Any, h: Any, c: Any) -> Any:
        y, (h, c) = self.lstm(x, (h, c))
        return self.head(y[:, -1]), h, c


class EveryStep(Window):
    """The same with an answer at every step, as for training a carried state."""

    def forward(self, x: Any) -> Any:
        y, _ = self.lstm(x)
        return self.head(y)


def draw(kind: type[Window], hidden: int) -> Window:
    """Draw the weights of a size, always the same."""
    torch.manual_seed(hidden)
    return kind(hidden).eval()


def make_models(folder: Path) -> None:
    """Write all missing files."""
    for hidden in HIDDEN:
        place = folder / str(hidden)
        if not (place / "made").exists():
            place.mkdir(parents=True, exist_ok=True)
            np.savez(place / "weights.npz", **{k: v.numpy() for k, v in draw(Window, hidden).state_dict().items()})
            _make_edgelstm(place, hidden)
            for case in CASES:
                if case.hidden == hidden:
                    (place / f"{case.name}.onnx").write_bytes(_plain_export(case))
            (place / "made").touch()


def _make_edgelstm(place: Path, hidden: int) -> None:
    """Import and export a module, as a user with one would."""
    from edgelstm.export import export_run
    from edgelstm.importers import from_torch

    for state, kind in (("window", Window), ("carried", EveryStep)):
        run = place / f"run-{state}"
        from_torch(draw(kind, hidden), run, window=STEPS, state=state, name=state, overwrite=True)
        export_run(run, place, precisions=[precision for precision in PRECISIONS if precision != "fp32"])


def _plain_export(case: Case) -> bytes:
    """Run torch.onnx.export by tracing: fewer nodes than its other way, and half a microsecond faster per step.

    Sizes are fixed, which suits every runtime at least as well as free ones.
    """
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations, and its advice on batch sizes
        if case.what == "step":
            state = torch.zeros(1, case.streams, case.hidden)
            given, names = (torch.zeros(case.streams, 1, FEATURES), state, state), ["x", "h", "c"]
            module, outputs = draw(Step, case.hidden), ["y", "h_out", "c_out"]
        else:
            given, names = (torch.zeros(case.streams, STEPS, FEATURES),), ["x"]
            module, outputs = draw(Window, case.hidden), ["y"]
        torch.onnx.export(module, given, content, dynamo=False, input_names=names, output_names=outputs)
    return content.getvalue()
