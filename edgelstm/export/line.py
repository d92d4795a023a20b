"""The straight line that a network started from, as a network of its own: to ship if the LSTM adds nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgelstm import reference
from edgelstm.answers import score_as_run
from edgelstm.contract import Contract, Metrics, Score
from edgelstm.data.baselines.linear import LINE_ALONE
from edgelstm.errors import ExportError
from edgelstm.export.graph import build_graph
from edgelstm.network import LAST, Highway, Layer, Network, Segment, Take
from edgelstm.run import Run, pack_weights
from edgelstm.runtime import Golden, ModelFile, Predictor


def line_of(run: Run) -> Run:
    """Remove the LSTM: the same inputs and outputs, with golden answers and test scores of the line.

    Args:
        run: of a network with a linear start. If the start reads single samples, there is no state left to carry.

    Raises:
        ExportError: the network has no linear start.
    """
    network = run.record.network
    if network is None or network.highway is None:
        raise ExportError(
            f"{run.path}: this network has no linear start to export alone; train it with one, or omit --line"
        )
    line = _alone(network, network.highway)
    weights = {name: run.weights[name] for name, _ in line.tensors()}
    contract = _contract_of(run.record.contract, pack_weights(weights)[1])
    y = reference.compute(line, weights, run.golden_x)
    shape = contract.answer_shape(len(y), *((contract.window,) if contract.every_step else ()))
    answers = y.reshape([int(size) for size in shape]).astype(np.float32)
    draft = Golden(run.golden_x, answers, answers, {})
    content = build_graph(line, weights, contract).SerializeToString()
    if run.heldout is not None:
        score = score_as_run(Predictor(ModelFile(content, contract, draft, "")), run.heldout)
        metrics = tuple(Metrics(m.part, m.windows, score, None, _others(m.baselines)) for m in contract.metrics)
        contract = replace(contract, metrics=metrics)
    record = replace(run.record, contract=contract, network=line, best_epoch=0)
    return replace(
        run, record=record, weights=weights, golden_y=answers, golden_lengths=None, golden_times=None, graph=None
    )


def _others(baselines: dict[str, Score]) -> dict[str, Score]:
    """The baselines to compare it with: all but itself."""
    return {name: score for name, score in baselines.items() if name != LINE_ALONE}


def _alone(network: Network, highway: Highway) -> Network:
    """The leading standardize, the layers that say which samples are read, the line, and the layers that scale back."""
    place = network.layers.index(highway)
    apart = [Segment(1, True)] if any(segment.shared for segment in network.of(Segment)) else []
    whole = [Take(LAST)] if network.of(Take) else []
    layers: list[Layer] = [network.layers[0], *apart, *whole, replace(highway, alone=True)]
    return replace(network, layers=(*layers, *network.layers[place + 1 :]))


def _contract_of(contract: Contract, weights_sha256: str) -> Contract:
    """Remove the scores on validation, whose windows are not in a run, and torch, which computed no answer of it."""
    versions = {name: version for name, version in contract.provenance.versions.items() if name != "torch"}
    return replace(
        contract,
        name=f"{contract.name}.line",
        lengths=False,
        times=False,
        state="window",
        trained_state="window",
        states=(),
        metrics=tuple(metrics for metrics in contract.metrics if metrics.part == "test"),
        provenance=contract.provenance._replace(weights_sha256=weights_sha256, versions=versions),
    )
