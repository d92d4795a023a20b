"""What the page and the command line say in words."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from edgelstm.data.baselines.linear import LINE_ALONE
from edgelstm.data.scores.scorer import Scored
from edgelstm.report.words import line_words


def part(network, **baselines):
    def scored(figure):
        return Scored({"scaled_mse": figure**2}, {})

    found = {name.replace("_", " "): scored(figure) for name, figure in baselines.items()}
    return SimpleNamespace(networks={"network": scored(network)}, baselines=found)


@pytest.mark.parametrize(
    ("baselines", "ship"),
    [
        ({LINE_ALONE.replace(" ", "_"): 1.0, "ridge": 2.0}, "edgelstm export RUN --line ships it"),
        ({"ridge": 1.0}, "edgelstm train --start ridge trains a network that can ship it"),
    ],
)
def test_a_line_that_is_as_good_is_said_with_the_command_that_ships_it(baselines, ship):
    assert line_words(part(1.0, **baselines), "scaled_rmse") == (
        f"A straight line is as good as the LSTM here: {ship}."
    )
    assert line_words(part(0.5, **baselines), "scaled_rmse") == ""
    assert line_words(part(1.0, persistence=1.0), "scaled_rmse") == ""
