"""The parity matrix: five ways to compute the same network agree."""

from __future__ import annotations

import io
import itertools
import warnings

import numpy as np
import onnxruntime
import pytest
import torch

from edgelstm.contract import FORMAT_VERSION, Channel, Contract, Provenance, Quantization
from edgelstm.data.scaling import Scaling
from edgelstm.export.graph import build_graph
from edgelstm.export.quantize import convert_graph
from edgelstm.network import carried_states
from edgelstm.runtime import Golden, ModelFile, Predictor
from tests import oracles
from tests.train.shapes import network_of, planned, sizes_of

FEATURES, OUTPUTS, HORIZON = 3, 2, 4
LAYERS, HIDDEN, BATCH, STEPS = (1, 2, 3), (1, 7, 64), (1, 5), (1, 2, 104)
MATRIX = list(itertools.product(LAYERS, HIDDEN, BATCH, STEPS))

# Configurations (layers, hidden, batch, steps) that torch.onnx.export cannot do.
TORCH_EXPORT_FAILS: set[tuple[int, int, int, int]] = set()


def make_network(
    layers, hidden, *, scaling="standard", state="window", features=FEATURES, outputs=OUTPUTS, horizon=HORIZON, seed=0
):
    """A network with random weights and random scaling constants."""
    rng = np.random.default_rng(seed)
    relative = tuple(rng.permutation(features)[:outputs].tolist()) if scaling == "relative" else ()
    constants = Scaling(
        scaling,
        (rng.normal(size=features) * ~np.isin(np.arange(features), relative)).astype(np.float32),
        rng.uniform(0.5, 2, features).astype(np.float32),
        rng.uniform(0.5, 2, outputs).astype(np.float32),
        np.zeros(outputs, np.float32) if relative else rng.normal(size=outputs).astype(np.float32),
        relative,
    )
    plan = planned(features, hidden, layers, horizon, outputs, relative, every_step=state == "carried")
    torch.manual_seed(seed)
    network = network_of(plan, constants)
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, -1, 1) if parameter.ndim == 1 else torch.nn.init.xavier_uniform_(parameter)
    return network.eval()


def make_contract(network, steps, precision="fp32"):
    """The least that a predictor needs to know."""
    plan, carried = network.plan, network.plan.every_step
    inputs = tuple(Channel(f"x{i}", None, "float32", None) for i in range(plan.network.input_size))
    outputs = tuple(Channel(f"y{i}", None, "float32", None) for i in range(plan.outputs))
    return Contract(
        FORMAT_VERSION,
        "parity",
        "forecast",
        precision,
        inputs,
        outputs,
        steps,
        plan.horizon,
        False,
        "carried" if carried else "window",
        "carried" if carried else "window",
        carried_states(network.plan.network) if carried else (),
        "relative" if plan.network.relative_inputs else "standard",
        None,
        Quantization() if precision.startswith("int8") else None,
        None,
        (),
        Provenance({}, None, "", 0),
    )


def weights_of(network):
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def predictors(network, steps):
    """The fp32 and the int8 graph of a network, loaded."""
    contract = make_contract(network, steps)
    fp32 = build_graph(network.plan.network, weights_of(network), contract)
    nothing = Golden(*[np.zeros((1, 1, 1), np.float32)] * 3, {})
    return tuple(
        Predictor(ModelFile(graph.SerializeToString(), make_contract(network, steps, precision), nothing, ""))
        for precision, graph in (("fp32", fp32), ("int8", convert_graph(fp32, "int8")))
    )


def torch_export(network, x):
    """Run what torch's own exporter makes of the network."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations, and its advice about batch sizes
        torch.onnx.export(network, (torch.from_numpy(x),), buffer, dynamo=False, opset_version=17, input_names=["x"])
    session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def inputs(batch, steps, seed=1):
    return np.random.default_rng(seed).normal(size=(batch, steps, FEATURES)).astype(np.float32)


def assert_int8_does_its_arithmetic(predictor, network, x):
    """Hold an int8 file against the simulation of its own arithmetic, row by row, within 1e-4.

    An activation that lies between two whole numbers to the last float32 bit may round either way, and what
    follows differs then. Such a row shows itself: the simulation, moved by one rounding error, jumps as far.
    """
    weights, shape, every_step = weights_of(network), sizes_of(network), network.plan.every_step
    for row, y in zip(x[:, np.newaxis], predictor.predict(x), strict=True):
        simulated = oracles.quantized_forecast(weights, shape, row, every_step)
        error = np.abs(y - simulated[0]).max()
        if error > 1e-4:
            rng = np.random.default_rng(0)
            moved = (oracles.quantized_forecast(weights, shape, row, every_step, jitter=rng) for _ in range(20))
            assert any(error <= 2 * np.abs(other - simulated).max() for other in moved)


@pytest.mark.parametrize("scaling", ["standard", "relative"])
@pytest.mark.parametrize(("layers", "hidden", "batch", "steps"), MATRIX)
def test_oracle_torch_export_fp32_and_int8_agree(layers, hidden, batch, steps, scaling):
    network, x = make_network(layers, hidden, scaling=scaling), inputs(batch, steps)
    weights, shape = weights_of(network), sizes_of(network)
    fp32, int8 = predictors(network, steps)

    oracle = oracles.forecast(weights, shape, x)
    limit = 1e-6 * max(1, np.abs(oracle).max())
    with torch.inference_mode():
        assert np.abs(network(torch.from_numpy(x)).numpy() - oracle).max() <= limit
    assert np.abs(fp32.predict(x) - oracle).max() <= limit

    assert_int8_does_its_arithmetic(int8, network, x)

    if (layers, hidden, batch, steps) in TORCH_EXPORT_FAILS:
        with pytest.raises(Exception):  # noqa: B017, PT011  (whatever torch raises)
            torch_export(network, x)
    else:
        assert np.abs(torch_export(network, x) - oracle).max() <= limit


@pytest.mark.parametrize(("layers", "hidden", "batch", "steps"), MATRIX)
def test_carried_files_answer_at_every_step_like_the_oracle(layers, hidden, batch, steps):
    network, x = make_network(layers, hidden, state="carried"), inputs(batch, steps)
    weights, shape = weights_of(network), sizes_of(network)
    fp32, int8 = predictors(network, steps)

    oracle = oracles.forecast(weights, shape, x, every_step=True)
    limit = 1e-6 * max(1, np.abs(oracle).max())
    with torch.inference_mode():
        assert np.abs(network(torch.from_numpy(x)).numpy() - oracle).max() <= limit
    assert np.abs(fp32.predict(x) - oracle).max() <= limit
    assert_int8_does_its_arithmetic(int8, network, x)
