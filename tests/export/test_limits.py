"""How far a file may be from its network, and from itself on a device: each limit from both sides."""

from __future__ import annotations

import importlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from edgelstm.errors import ParityError
from edgelstm.export import export_run
from edgelstm.run import read_run
from tests.tiny_runs import write_tiny

exporting = importlib.import_module("edgelstm.export.export")
STD = (1.5, 3.0)  # of the outputs of a tiny run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny") / "run"
    write_tiny(folder, "forecast", "number")
    return read_run(folder)


def of_unknown_training(run):
    outputs = tuple(channel._replace(statistics=None) for channel in run.record.contract.outputs)
    return replace(run, record=replace(run.record, contract=replace(run.record.contract, outputs=outputs)))


def ulps_of(largest):
    """Four units in the last place of a float32."""
    return 4 * float(np.spacing(np.float32(largest)))


def moved(run, limit, share):
    """The golden answers, and the same with one moved by a share of a limit, away from zero, in float64."""
    y = run.golden_y.astype(np.float64)
    place = np.unravel_index(np.abs(y[..., 0]).argmin(), y.shape[:-1])
    y[(*place, 0)] += limit * share
    return y


@pytest.mark.parametrize(("share", "fits"), [(0.98, True), (1.02, False), (-0.98, True), (-1.02, False)])
def test_fp32_is_within_a_hundred_thousandth_of_the_spread_and_four_ulp_of_the_largest_answer(run, share, fits):
    assert [channel.spread for channel in run.record.contract.outputs] == list(STD)
    limit = 1e-5 * STD[0] + ulps_of(np.abs(run.golden_y[..., 0]).max())
    y = moved(run, limit, share)
    if fits:
        exporting._check_parity(run, y)
    else:
        with pytest.raises(ParityError, match="the graph differs from the trained network"):
            exporting._check_parity(run, y)


@pytest.mark.parametrize("largest", [0.5, 1.0, 300.0])
@pytest.mark.parametrize(("share", "fits"), [(0.98, True), (1.02, False)])
def test_of_an_unknown_training_fp32_is_within_a_millionth_of_the_largest_answer_at_least(run, largest, share, fits):
    """The golden answers lie close together, so that their own spread allows next to nothing."""
    y = np.full_like(run.golden_y, largest)
    y[0] *= 1 + 1e-7
    unknown = replace(of_unknown_training(run), golden_y=y)
    moved_y = moved(unknown, 1e-6 * max(1.0, np.abs(y).max()), share)
    if fits:
        exporting._check_parity(unknown, moved_y)
    else:
        with pytest.raises(ParityError):
            exporting._check_parity(unknown, moved_y)


@pytest.mark.parametrize(
    ("precision", "pypi", "other"), [("fp32", 0, 0), ("int8w", 0, 0), ("fp16", 0.002, 0.005), ("int8", 0.005, 0.05)]
)
def test_a_device_may_be_as_far_from_the_file_as_format_md_says(run, precision, pypi, other):
    found = exporting._tolerance(run, precision, run.golden_y)
    largest = np.abs(run.golden_y).max(axis=tuple(range(run.golden_y.ndim - 1)))
    for target, share in (("pypi", pypi), ("other", other)):
        expected = [(1e-5 + share) * std + ulps_of(top) for std, top in zip(STD, largest, strict=True)]
        assert found[target] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("scaling", "spread"), [("relative", (0.1, 3.0)), ("none", STD)])
def test_of_a_network_that_answers_with_a_change_the_smaller_spread_counts(run, scaling, spread):
    contract = replace(run.record.contract, scaling=scaling)
    weights = {**run.weights, "output_scale": np.array([0.1, 9.0], np.float32)}
    relative = replace(run, record=replace(run.record, contract=contract), weights=weights)
    limits = [np.array(exporting._tolerance(relative, p, run.golden_y)["other"]) for p in ("int8", "fp32")]
    np.testing.assert_allclose(limits[0] - limits[1], 0.05 * np.array(spread), rtol=1e-6)


@pytest.mark.parametrize(("largest", "spread"), [(1.0, 1.0), (8.0, 4.0)])
def test_probabilities_spread_by_one_and_larger_scores_of_a_foreign_network_as_they_do(tmp_path, largest, spread):
    """Half of the answers are 0 and half of them the largest: they deviate by half of it."""
    tiny = write_tiny(tmp_path / "run", "classify", "class", lengths=True)
    y = np.zeros((4, *tiny.golden_y.shape[1:]), np.float32)
    y[::2] = largest
    np.testing.assert_allclose(exporting._spread(replace(of_unknown_training(tiny), golden_y=y)), spread)


@pytest.mark.parametrize(
    ("drop", "written"),
    [(0.01, True), (0.0100001, False), (-0.01, True), (-5.0, True), (float("nan"), False), (None, True), (0.0, True)],
)
def test_int8_that_is_worse_by_more_than_the_limit_is_left_out_and_one_that_is_better_never(
    run, tmp_path, monkeypatch, drop, written
):
    found = SimpleNamespace(files=[SimpleNamespace(drop=0.0), SimpleNamespace(drop=drop)])
    monkeypatch.setattr(exporting, "judge", lambda *_, **__: found)
    monkeypatch.setattr(exporting, "plain", lambda _: {})
    monkeypatch.setattr(exporting, "_TIMED_S", 0.0)
    made = export_run(run.path, tmp_path, precisions=["int8"], max_metric_drop=0.01)
    assert [file.path.suffixes[0] for file in made.files] == [".fp32", *[".int8"] * written]
    assert sorted(path.name for path in tmp_path.glob("*.onnx")) == sorted(file.path.name for file in made.files)
    assert (made.refused is None) == written


@pytest.mark.parametrize(
    ("lost", "size", "chosen"),
    [
        (0.00099, 16 * 2**10 + 4, "int8"),
        (0.001, 16 * 2**10 + 4, "fp32"),
        (-1.0, 16 * 2**10, "fp32"),
        (-1.0, 2**20, "int8"),
    ],
)
def test_a_start_goes_to_int8_beyond_16_kib_and_where_less_than_a_thousandth_is_lost(
    run, tmp_path, monkeypatch, lost, size, chosen
):
    highway = SimpleNamespace(name="highway")
    started = SimpleNamespace(
        record=SimpleNamespace(network=SimpleNamespace(highway=highway)),
        weights={"highway.weight": np.zeros(size // 4, np.float32)},
    )
    monkeypatch.setattr(
        exporting,
        "_make_file",
        lambda run, folder, precision, graph, form, score: exporting._Made(form.highway, b"", None),
    )
    monkeypatch.setattr(exporting, "convert_graph", lambda graph, precision, form: graph)
    monkeypatch.setattr(exporting, "_loss", lambda smaller, made: lost)
    found = {
        precision: exporting._make_best(started, tmp_path, precision, None, exporting.Quantization(), None).file
        for precision in ("int8", "int8w", "fp16")
    }
    assert found == {"int8": chosen, "int8w": chosen, "fp16": "fp32"}
