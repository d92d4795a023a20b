"""How far what is imported may be from the module: each limit from both sides."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edgelstm.errors import NetworkError
from edgelstm.importers.torch import call, graph, layers, module

X = np.zeros((2, 3, 1), np.float32)
Y = np.array([[1.0], [-4.0]])
BOTH = [(0.98, True), (1.02, False), (-0.98, True), (-1.02, False)]


def subject(y=Y, every_step=False):
    """A module that gives one answer to all it is asked."""
    return SimpleNamespace(answer=lambda x, lengths: y, every_step=every_step, answer_sizes=y.shape[1 + every_step :])


def near_by(share):
    """The same answers, the largest moved by a share of itself."""
    return Y + np.array([[0.0], [share * 4]])


def held(fits, check, *arguments):
    if fits:
        check(*arguments)
    else:
        with pytest.raises(
            NetworkError, match=r"graph differs from the module|differ from the module|depends on the other rows"
        ):
            check(*arguments)


@pytest.mark.parametrize(
    ("a", "b", "difference"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([0.1, 0.2], [0.1, 0.3], 0.1),  # of answers below 1, in itself
        ([10.0, 3.0], [10.0, 2.0], 0.1),  # of others, as a share of the largest
        ([1.0, 2.0], [10.0, 2.0], 0.9),
        ([np.nan, 2.0], [np.nan, 2.0], 0.0),
        ([np.nan, 2.0], [1.0, 2.0], np.inf),
        ([1.0], [1.0, 2.0], np.inf),
    ],
)
def test_a_difference_is_a_share_of_the_largest_answer(a, b, difference):
    assert call.differ(np.array(a), np.array(b)) == pytest.approx(difference, abs=1e-15)


@pytest.mark.parametrize(("share", "fits"), BOTH)
def test_a_traced_graph_is_within_a_hundred_thousandth(share, fits):
    def run(feeds):
        return {"y": near_by(share * 1e-5)}

    shape, record = SimpleNamespace(every_step=False), SimpleNamespace(calls={})
    held(fits, graph._compare, run, subject(), shape, X, None, record)


@pytest.mark.parametrize(("wide", "limit"), [(True, 1e-6), (False, 1e-5)])
@pytest.mark.parametrize(("share", "fits"), BOTH)
def test_layers_are_within_a_hundred_thousandth_and_in_float64_within_a_millionth(
    monkeypatch, wide, limit, share, fits
):
    near = near_by(share * limit)
    monkeypatch.setattr(layers, "check_network", lambda network, weights: None)
    monkeypatch.setattr(layers, "compute", lambda network, weights, x, lengths: Y)
    monkeypatch.setattr(layers, "_widened", lambda subject: subject if wide else None)
    monkeypatch.setattr(layers, "_run_wide", lambda subject, x, lengths: near)
    held(fits, layers.check_layers, None, {}, subject(near), [(X, None)])


@pytest.mark.parametrize(("largest", "fits"), [(1.0, True), (1 + 0.9e-6, True), (1 + 1.1e-6, False)])
@pytest.mark.parametrize(("least", "above"), [(0.0, True), (-1e-12, False)])
def test_probabilities_lie_from_0_to_1_but_for_a_rounding(largest, fits, least, above):
    found = subject(np.array([[least, largest]]))
    if fits and above:
        module._check_probabilities(found, [(X, None)])
    else:
        with pytest.raises(NetworkError, match="expected probabilities"):
            module._check_probabilities(found, [(X, None)])


@pytest.mark.parametrize(("share", "fits"), BOTH)
def test_a_row_alone_is_within_a_ten_thousandth_of_itself_among_others(monkeypatch, share, fits):
    torch = pytest.importorskip("torch")

    class Neighbourly(torch.nn.Module):
        """Answers 1, and a little beside it to a row that is alone."""

        def forward(self, x):
            return torch.ones(len(x), 1, dtype=torch.float64) + (share * 1e-4 if len(x) == 1 else 0.0)

    neighbourly = Neighbourly()

    def answer(x, lengths=None):
        return neighbourly(x).numpy()

    monkeypatch.setattr(call, "replace", lambda held, **changes: SimpleNamespace(**{**vars(held), **changes}))
    found = SimpleNamespace(
        module=neighbourly,
        time_first=False,
        draw=lambda sizes, rng: (np.zeros((sizes.batch, sizes.steps, 1)), None),
        call=answer,
        answer=answer,
    )
    held(fits, call._with_answer, found, 5, np.random.default_rng(0))


def test_a_module_answers_once_for_a_window_unless_told_otherwise():
    once = call.Subject(lambda x: x.mean(1), features=2, categories=0, lengths=False, answer_sizes=(2,))
    np.testing.assert_array_equal(once.answer(np.ones((4, 3, 2), np.float32), None), np.ones((4, 2)))
