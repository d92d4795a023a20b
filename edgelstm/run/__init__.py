"""The run directory: the result of training, and all that export needs. Readable without torch.

| file | holds |
|---|---|
| `run.json` | the contract as far as known, the layers of the network, the recipe |
| `network.safetensors` | the named float32 tensors of the network, PyTorch's names and layouts |
| `network.onnx` | instead of it, the graph of a foreign network that is not a list of known layers |
| `golden.safetensors` | a few real windows and the answers of the trained network |
| `heldout.safetensors` | the test windows or series, to score any file on; absent without a test part |
| `metrics.json` | scores on validation and test, of the network and the baselines |
| `report.html` | the same as one page for people |
| `loss.csv` | the loss after each epoch |
| `*.png` | the loss curve, and forecasts, confusion or single series |
"""

from __future__ import annotations

from edgelstm.run.directory import (
    GOLDEN,
    GRAPH,
    HELDOUT,
    RECIPE,
    RECORD,
    RUN_FORMAT_VERSION,
    WEIGHTS,
    Run,
    RunRecord,
    graph_digest,
    pack_weights,
    read_run,
    write_run,
)
from edgelstm.run.golden import golden_inputs, golden_rows_of

__all__ = [
    "GOLDEN",
    "GRAPH",
    "HELDOUT",
    "RECIPE",
    "RECORD",
    "RUN_FORMAT_VERSION",
    "WEIGHTS",
    "Run",
    "RunRecord",
    "golden_inputs",
    "golden_rows_of",
    "graph_digest",
    "pack_weights",
    "read_run",
    "write_run",
]
