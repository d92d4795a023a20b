"""A carried state over ten thousand steps: one that was trained so stays as good, one that was not goes astray.

The target is the mean of the last four samples of noise. From a zero state over a window of four, a network need only
add up, and learns no reason to forget: what it keeps when it is carried on, nobody ever trained.
"""

from __future__ import annotations

import numpy as np
import pytest

from edgelstm import load
from edgelstm.export import export_run
from edgelstm.recipe.file import check_recipe
from edgelstm.train import fit_recipe
from tests.train import plain

MEAN_OF, TRAINED_ON, STEPS = 4, 3600, 10_000
EPOCHS = {"window": 4, "carried": 10}


@pytest.fixture(scope="module")
def table():
    """float64 [rows, 2]: noise, and the mean of the four samples in front of each row."""
    x = np.random.default_rng(0).uniform(-1, 1, TRAINED_ON + STEPS + MEAN_OF + 1)
    sums = np.concatenate([[0.0], np.cumsum(x)])
    means = (sums[MEAN_OF:-1] - sums[: -MEAN_OF - 1]) / MEAN_OF
    return np.column_stack([x[MEAN_OF:], means])


@pytest.fixture(scope="module")
def errors(table, tmp_path_factory):
    """By how a network of 8 units was trained: the error of each of 10,000 steps of its carried file, and its score."""
    folder = tmp_path_factory.mktemp("carried")
    np.savetxt(folder / "noise.csv", table, fmt="%.6f", delimiter=",", header="x,mean", comments="")
    found = {}
    for state, steps, batch in (("window", MEAN_OF, 32), ("carried", 24, 4)):
        content = {
            "data": {"path": str(folder / "noise.csv"), "features": ["x"], "targets": ["mean"]},
            "split": {"borders": [3000, TRAINED_ON, len(table)]},
            "window": {"steps": steps},
            "network": {**plain.NETWORK, "hidden_size": 8, "state": state},
            "training": {**plain.TRAINING, "epochs": EPOCHS[state], "batch_size": batch, "learning_rate": 0.02},
        }
        content["training"]["schedule"] = "one-cycle"
        fitted = fit_recipe(check_recipe(content, "test"), folder / state)
        export_run(folder / state, folder / f"{state} files", state="carried")
        stream = load(folder / f"{state} files" / "lstm.fp32.onnx").stream()
        y = stream.run(table[TRAINED_ON:-1, :1].astype(np.float32))[:, 0, 0]
        score = fitted.evaluation.parts[-1].networks["network"].score
        found[state] = (y - table[TRAINED_ON + 1 :, 1])[:STEPS], score["rmse"]
    return found


def rmse(errors, first, last):
    return float(np.sqrt(np.mean(errors[first:last] ** 2)))


def test_over_ten_thousand_steps_a_network_that_was_trained_carried_stays_as_good(errors, record_property):
    found, score = errors["carried"]
    early, late = rmse(found, 200, 2200), rmse(found, -2000, None)
    record_property(
        "figures", f"trained carried: RMSE {early:.4f} in steps 200 to 2,200, {late:.4f} in the last of 10,000"
    )
    assert len(found) == STEPS
    assert late <= 1.1 * early
    assert rmse(found, 24, None) == pytest.approx(score, rel=0.02)  # the trainer scored the same long pass


def test_one_that_was_trained_on_windows_goes_astray_when_it_is_carried_on(errors, table, record_property):
    found, score = errors["window"]
    late, spread = rmse(found, -2000, None), table[TRAINED_ON:, 1].std()
    record_property(
        "figures",
        f"trained on windows: RMSE {score:.4f} in windows, {late:.4f} in the last 2,000 of 10,000 carried steps "
        f"({spread:.4f} says the mean)",
    )
    assert score < rmse(errors["carried"][0], 200, 2200)  # in its windows it is the better one
    assert late > 10 * score
    assert late > spread
