import numpy as np
import pytest

from edgelstm.errors import InputError, ModelFileNotFoundError
from edgelstm.run import read_run
from edgelstm.runtime import Predictor, load, read_model_file
from tests.oracles import forecast, sizes_of


def some(seed, *shape):
    """Numbers like those the networks were trained on, in ppm."""
    return np.random.default_rng(seed).normal(330, 10, shape).astype(np.float32)


def close(y, expected):
    """Equal as far as float32 can be: a few roundings of numbers around 330, whose steps are 3e-5."""
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, rtol=0, atol=3e-4)


@pytest.mark.parametrize("rows", [1, 2, 33])
def test_a_window_file_computes_what_the_trained_weights_say(window, window_files, rows):
    run = read_run(window_files.run)
    x = some(rows, rows, 24, 1)
    close(window.predict(x), forecast(run.weights, sizes_of(run), x))


@pytest.mark.parametrize("steps", [1, 2, 24, 100])
@pytest.mark.parametrize("rows", [1, 3])
def test_a_carried_file_answers_at_every_step_of_any_length(carried, carried_files, steps, rows):
    run = read_run(carried_files.run)
    x = some(steps, rows, steps, 1)
    y = carried.predict(x)
    assert y.shape == (rows, steps, 3, 1)
    close(y, forecast(run.weights, sizes_of(run), x, every_step=True))


def test_the_oracle_tells_another_network_apart(carried, carried_files):
    run = read_run(carried_files.run)
    x = some(0, 1, 24, 1)
    weights = {**run.weights, "lstm.weight_hh_l1": run.weights["lstm.weight_hh_l1"] * 1.01}
    wrong = forecast(weights, sizes_of(run), x, every_step=True)
    with pytest.raises(AssertionError):
        close(carried.predict(x), wrong)


@pytest.mark.parametrize("state", ["window", "carried"])
def test_one_window_is_a_batch_of_one(request, state):
    predictor = request.getfixturevalue(state)
    x = some(1, 5, 24, 1)
    batch = predictor.predict(x)
    for row, expected in zip(x, batch, strict=True):
        one = predictor.predict(row)
        assert one.shape == expected.shape
        close(one, expected)
        assert one.tobytes() == predictor.predict(row[np.newaxis])[0].tobytes()


@pytest.mark.parametrize("state", ["window", "carried"])
def test_an_int8_batch_equals_its_rows_exactly(window_files, carried_files, state):
    predictor = load({"window": window_files, "carried": carried_files}[state].int8)
    x = some(2, 7, 24, 1) * np.linspace(0.5, 2, 7, dtype=np.float32)[:, None, None]
    batch = predictor.predict(x)
    assert batch.tobytes() == np.stack([predictor.predict(row) for row in x]).tobytes()
    together = predictor._session.run(["y"], {"x": x, **_zero_states(predictor, 7)})[0]
    assert batch.tobytes() != together.tobytes(), "the kernel no longer mixes rows: predict may run the batch at once"


def test_an_int8_file_stays_near_its_fp32_file(window_files, carried_files):
    for files in (window_files, carried_files):
        x = load(files.fp32).golden.x
        difference = np.abs(load(files.int8).predict(x) - load(files.fp32).predict(x)).max()
        assert 0 < difference < 1.0


@pytest.mark.parametrize("state", ["window", "carried"])
def test_every_call_starts_from_a_zero_state(request, state):
    predictor = request.getfixturevalue(state)
    x = some(3, 24, 1)
    first = predictor.predict(x)
    predictor.predict(some(4, 24, 1))
    assert predictor.predict(x).tobytes() == first.tobytes()


def test_an_answer_belongs_to_the_caller(window):
    x = some(5, 24, 1)
    first = window.predict(x)
    kept = first.copy()
    window.predict(some(6, 24, 1))
    assert first.tobytes() == kept.tobytes()
    first[:] = 0
    assert window.predict(x).tobytes() == kept.tobytes()


def test_lists_float64_and_views_are_predicted_from(window):
    x = some(7, 48, 1)
    expected = window.predict(x[::2]).tobytes()
    assert window.predict(x[::2].tolist()).tobytes() == expected
    assert window.predict(x[::2].astype(np.float64)).tobytes() == expected
    frozen = x[::2].copy()
    frozen.flags.writeable = False
    assert window.predict(frozen).tobytes() == expected


def test_more_threads_give_the_same_answers(window_files, window):
    x = some(8, 24, 1)
    close(load(window_files.fp32, threads=2).predict(x), window.predict(x))


@pytest.mark.parametrize("steps", [0, 1, 23, 25, 240])
def test_a_window_of_another_length_is_refused(window, steps):
    with pytest.raises(InputError, match=f"expected windows of 24 steps, .* got {steps}$"):
        window.predict(np.zeros((steps, 1), np.float32))
    with pytest.raises(InputError, match=f"expected windows of 24 steps, .* got {steps}$"):
        window.predict(np.zeros((2, steps, 1), np.float32))


@pytest.mark.parametrize("shape", [(1,), (1, 1, 24, 1)], ids=str)
def test_another_number_of_axes_is_refused(window, carried, shape):
    for predictor in (window, carried):
        with pytest.raises(InputError, match=r"expected one window \[T, F\] or a batch \[B, T, F\], got shape"):
            predictor.predict(np.zeros(shape))


@pytest.mark.parametrize("shape", [(24,), (24, 2), (2, 24, 0), ()], ids=str)
def test_another_number_of_channels_is_refused(window, shape):
    with pytest.raises(InputError, match=r"expected 1 channel \(co2\)"):
        window.predict(np.zeros(shape))


def test_nothing_to_predict_from_is_refused(window, carried):
    for predictor, shape in ((window, (0, 24, 1)), (carried, (0, 24, 1)), (carried, (0, 1)), (carried, (2, 0, 1))):
        with pytest.raises(InputError, match="at least one row and one step"):
            predictor.predict(np.zeros(shape))


def test_a_missing_sample_is_refused_with_its_place(window):
    x = some(9, 3, 24, 1)
    x[1, 17, 0] = np.nan
    with pytest.raises(InputError, match=r"got nan at \[1, 17, 0\] \(channel 'co2'\)"):
        window.predict(x)


def test_a_missing_file_is_told_as_such(tmp_path):
    with pytest.raises(ModelFileNotFoundError, match=r"none\.onnx: file not found"):
        load(tmp_path / "none.onnx")


def test_a_predictor_tells_what_it_runs(window_files, window):
    file = read_model_file(window_files.fp32)
    assert (window.contract, window.digest, window.device) == (file.contract, file.digest, "cpu")
    assert window.golden.x.tobytes() == file.golden.x.tobytes()
    assert Predictor(file).predict(file.golden.x[0]).shape == (3, 1)


def _zero_states(predictor, rows):
    return {
        state.input: np.zeros([rows if size == "B" else size for size in state.shape], np.float32)
        for state in predictor.contract.states
    }
