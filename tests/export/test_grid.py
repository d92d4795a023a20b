"""The grid: a thousand drawn networks, each run by onnxruntime and by torch, held against float64 numpy."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings

from edgelstm import reference
from edgelstm.errors import ExportError, NetworkError
from edgelstm.export.graph import build_graph
from edgelstm.runtime.file.structure import check_structure
from tests import oracles
from tests.eager import Eager, can_express
from tests.export.drawn import Bare, cases, layer_lists, load_graph

DRAWS, DISTINCT = 750, 500
LIMIT = 1e-6
# A layer norm divides by as little as sqrt(1e-5): of two numbers that are nearly equal it makes 300 times the rounding.
NORMED_LIMIT = 1e-4

# onnxruntime's kernels of these treat the end of a vector otherwise than its middle: where a number stands in a
# tensor moves its last bit. All others, and all that an LSTM node does, give the same bits wherever it stands.
PLACE_MATTERS = {"elu", "selu", "softplus"}

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


def relative_error(y, oracle):
    """The largest error over max(1, max |y|), over what is valid; infinite where a number is missing."""
    assert y.shape == oracle.shape
    valid = ~np.isnan(oracle)
    error = np.abs(y[valid] - oracle[valid]).max() / max(1, np.abs(oracle[valid]).max())
    return float(np.nan_to_num(error, nan=np.inf))


def eager(case):
    with torch.inference_mode():
        lengths = None if case.lengths is None else torch.from_numpy(case.lengths)
        time_s = None if case.time_s is None else torch.from_numpy(case.time_s)
        return Eager(*case[:3])(torch.from_numpy(case.x), lengths, time_s).numpy()


def referred(case):
    """What the package's own reference computes, shaped as the contract says."""
    layers = [layer for layer in case.network.layers if not (case.contract.states and layer.kind == "take")]
    network = replace(case.network, layers=tuple(layers))
    y = reference.compute(network, case.weights, case.x, case.lengths, case.time_s)
    steps = case.x.shape[1:2] if case.contract.every_step else ()
    return y.reshape(case.contract.answer_shape(len(case.x), *steps))


def shorter(case):
    """The first row, over about half of its steps, of whole segments; a highway reads all of them."""
    cut = math.prod(layer.steps for layer in case.network.layers if layer.kind == "segment")
    whole = case.network.highway is not None and not case.contract.every_step
    steps = case.x.shape[1] if whole else max(1, (case.x.shape[1] // 2 + 1) // cut) * cut
    lengths = None if case.lengths is None else np.minimum(case.lengths[:1], steps)
    times = None if case.time_s is None else case.time_s[:1, :steps]
    return case._replace(x=case.x[:1, :steps], lengths=lengths, time_s=times)


def opened(model, case):
    return Bare(model, case.contract) if case.network.times else load_graph(model, case.contract)


def run(opened_graph, case):
    times = () if case.time_s is None else (case.time_s,)
    return opened_graph.run_batch(case.x, case.lengths, *times)


def stepped(opened_graph, case):
    if case.network.times:
        return opened_graph.stepped(case.x, case.time_s)
    stream = opened_graph.stream(len(case.x))
    return np.stack([stream.step(case.x[:, t]).copy() for t in range(case.x.shape[1])], axis=1)


def row_by_row(opened_graph, case):
    def row(array, i):
        return None if array is None else array[i : i + 1]

    rows = [case._replace(**{k: row(getattr(case, k), i) for k in case._fields[3:]}) for i in range(len(case.x))]
    return np.concatenate([run(opened_graph, part) for part in rows])


def has_norm(network):
    return any(layer.kind == "layer_norm" for layer in network.layers)


def assert_same_bits(a, b, network):
    """Where a function's last bit depends on its place, the limit of the grid holds instead."""
    functions = {layer.function for layer in network.layers if layer.kind == "activation"}
    if functions & PLACE_MATTERS:
        assert relative_error(a, b) <= LIMIT
    else:
        np.testing.assert_array_equal(a, b)


def test_every_network_that_can_be_written_down_computes_what_float64_numpy_computes(record_property):
    """Padding is NaN; batch and time change on the open file; rows alone and a carried state give the same bits."""
    ours, torchs, seen = [], [], set()

    @settings(max_examples=DRAWS, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(cases())
    def hold(case):
        model = build_graph(*case[:3])
        assert not check_structure(model.SerializeToString())  # a reader takes it
        graph = opened(model, case)
        for part in (case, shorter(case)):
            oracle = oracles.evaluate(part.network, part.weights, part.x, part.contract, part.lengths, part.time_s)
            y = run(graph, part)
            ours.append(relative_error(y, oracle))
            assert ours[-1] <= LIMIT
            if can_express(part.network):
                torchs.append(relative_error(eager(part), oracle))
                assert torchs[-1] <= LIMIT
            assert_same_bits(row_by_row(graph, part), y, part.network)
            if part.contract.states:
                assert_same_bits(stepped(graph, part), y, part.network)
        seen.add((case.network, case.contract.task, case.contract.state, case.contract.lengths))

    hold()
    assert len(seen) >= DISTINCT
    with_highway = [network for network, *_ in seen if network.highway is not None]
    assert len(with_highway) >= DISTINCT // 10
    record_property(
        "figures",
        f"grid: {len(seen)} different networks, {len(with_highway)} with a highway, {len(ours)} batches; worst error "
        f"against float64, over max(1, max |y|): onnxruntime {max(ours):.2g}, torch eager {max(torchs):.2g} "
        f"({len(torchs)} batches)",
    )


def test_layers_in_any_order_compute_what_the_oracle_computes_or_are_refused_in_words(record_property):
    refused, computed = [], []

    @settings(max_examples=500, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(layer_lists())
    def hold(case):
        try:
            model = build_graph(*case[:3])
        except (NetworkError, ExportError) as error:
            refused.append(str(error))
            return
        assert not check_structure(model.SerializeToString())
        y = run(opened(model, case), case)
        oracle = oracles.evaluate(*case[:2], case.x, case.contract, case.lengths, case.time_s)
        assert relative_error(referred(case), oracle) <= (1e-10 if has_norm(case.network) else 1e-12)
        assert relative_error(y, oracle) <= (NORMED_LIMIT if has_norm(case.network) else LIMIT)
        computed.append(case.network)

    hold()
    assert len(set(computed)) >= 100
    assert {network.highway.alone for network in computed if network.highway is not None} == {True, False}
    record_property("figures", f"any order: {len(set(computed))} networks computed, {len(refused)} refused")
