import json
import math
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.errors import InputError, SharingError
from edgelstm.runtime import Guard, GuardedStream, Predictor
from tests.runtime.guard.guarded import FATES, HIGH, LOW, NAMES, PERIOD_NS, Policy, make_file, with_statistics
from tests.runtime.timed import load_timed, make_timed

START_S, PERIOD_S = 1_700_000_000, PERIOD_NS // 10**9
START_NS = START_S * 10**9


@pytest.fixture(scope="module", params=["carried", "window"])
def file(request, tmp_path_factory):
    """A network of three measurements, every ten seconds."""
    return make_file(tmp_path_factory.mktemp("three"), request.param)


@pytest.fixture(scope="module")
def three(file):
    """The same, loaded."""
    return Predictor(file)


def numbers(i):
    """Values of one channel: mostly good ones."""
    low, high = (LOW[i], HIGH[i]) if LOW[i] is not None else (-5.0, 5.0)
    good = st.floats(low, high, width=32)
    beyond = st.sampled_from([low - 3.5, high + 3.5, low - 1000.0, high + 1e30])
    return st.one_of(*[good] * 8, beyond, st.sampled_from([math.nan, math.nan, math.inf, -math.inf, 1e39]))


samples = st.one_of(*[st.tuples(*map(numbers, range(3)))] * 8, st.none())
# In quarters of a period: on the beat, jittered, early, twice, backwards, after a gap, and clocks gone mad.
quarters = st.sampled_from([4] * 12 + [3, 5, 6, 2, 1, 0, 0, -1, -4, -40, 8, 9, 12, 16, 24, 4000, 4 * 10**8, -4 * 10**8])
guards = st.builds(
    Guard,
    on_missing=st.sampled_from(["hold", "hold", "reset", "error"]),
    on_gap=st.sampled_from(["hold", "hold", "reset", "error"]),
    max_hold=st.integers(0, 4),
    on_late=st.sampled_from(["drop", "drop", "error"]),
    max_late=st.integers(0, 3),
    tolerance=st.sampled_from([0, 0.25, 0.5]),
    on_range=st.sampled_from(["count", "clip", "missing"]),
    margin=st.sampled_from([0, 0.25, math.inf]),
    drift_window=st.integers(0, 5),
)
sequences = st.lists(st.tuples(samples, quarters), max_size=40)


@pytest.fixture(scope="module", params=["carried", "window"])
def timed_three(request):
    """A file of three measurements that takes their times."""
    return Predictor(with_statistics(make_timed(request.param, inputs=NAMES)))


@given(guards, sequences, st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_guarded_stream_equals_a_plain_stream_of_the_cleaned_samples(three, guard, sequence, timed):
    hold_against_the_policy(three, guard, sequence, timed)


@given(guards, sequences)
@settings(max_examples=50, deadline=None)
def test_a_file_that_takes_times_is_given_those_of_the_samples_and_a_period_more_for_each_missing_one(
    timed_three, guard, sequence
):
    hold_against_the_policy(timed_three, guard, sequence, True)


def hold_against_the_policy(three, guard, sequence, timed):
    """Guard a stream, and tell a plain one what the policy says."""
    guarded, plain, policy = GuardedStream(three, guard), three.stream(), Policy(guard)
    now = START_NS
    for sample, step in sequence:
        now += step * PERIOD_NS // 4
        instant = np.datetime64(now, "ns") if timed else None
        already = len(policy.fed)
        fate = policy.take(sample, now if timed else None)
        expected = fed(plain, policy.fed[already:])
        if fate == "refused":
            with pytest.raises(InputError):
                guarded.step(sample, instant)
        else:
            answer = guarded.step(sample, instant)
            assert answer.shape == three.contract.answer_shape()
            if fate in ("clean", "mended"):
                assert guarded.ready == plain.ready
                assert answer.tobytes() == expected.tobytes()
            else:
                assert np.isnan(answer).all()
                assert not guarded.ready
        assert all(np.isfinite(tensor).all() for tensor in guarded.state.values())
        assert as_bytes(guarded.state) == as_bytes(plain.state)
    assert_counts(guarded.counts, policy, len(sequence))


def fed(stream, rows):
    """Tell a plain stream what the policy says; gives the last answer."""
    answer = None
    for told in rows:
        if told is None:
            stream.reset()
            continue
        row, ns = told
        answer = stream.step(np.array(row, np.float32), ns // 10**9 if stream._contract.times else None)
    return answer


def test_a_guard_of_a_file_that_takes_times_needs_them():
    guarded = GuardedStream(load_timed())
    for sample in ([1, 2], None):
        with pytest.raises(InputError, match=r"^time_s: expected seconds"):
            guarded.step(sample)
    assert guarded.counts.refused == 2


@pytest.mark.parametrize("kind", [int, float, np.int64, np.float64, lambda s: np.datetime64(int(s), "s")])
def test_a_guarded_and_a_plain_stream_tell_the_time_in_the_same_way(kind):
    predictor = load_timed()
    guarded, plain = GuardedStream(predictor), predictor.stream()
    for second in range(1_700_000_000, 1_700_000_060, 10):
        answer = guarded.step([1, 2], time_s=kind(second))
        assert answer.tobytes() == plain.step([1, 2], time_s=kind(second)).tobytes()
    assert guarded.counts.clean == 6


@pytest.mark.parametrize(("unit", "size"), [("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)])
@pytest.mark.parametrize("kind", [int, np.int64])
def test_a_time_in_another_unit_is_refused_with_what_to_divide_it_by(kind, unit, size):
    guarded = GuardedStream(load_timed())
    with pytest.raises(InputError, match=rf"^time_s: expected seconds .* if these are {unit}, divide by {size}$"):
        guarded.step([1, 2], kind(1_700_000_000 * size))
    assert guarded.counts.refused == 1


def assert_counts(counts, policy, samples):
    assert counts.samples == sum(policy.fates.values()) == samples
    assert {fate: getattr(counts, fate) for fate in FATES} == policy.fates
    assert (counts.gaps, counts.filled, counts.resets) == (policy.gaps, policy.filled, policy.resets)
    assert tuple(counts.channels) == NAMES
    for i, channel in enumerate(counts.channels.values()):
        assert channel._asdict() == {reason: values[i] for reason, values in policy.values.items()}


def as_bytes(snapshot):
    return {name: tensor.tobytes() for name, tensor in snapshot.items()}


def good(n, seed=0):
    """Samples that lie within what training saw."""
    return np.random.default_rng(seed).uniform([-1, 0, -5], [1, 10, 5], (n, 3)).astype(np.float32)


def stepped(stream, rows, times=None):
    if times is None:
        return np.stack([stream.step(row) for row in rows])
    return np.stack([stream.step(row, at) for row, at in zip(rows, times, strict=True)])


def test_clean_samples_pass_as_they_are(three):
    rows, guarded = good(50), GuardedStream(three)
    assert stepped(guarded, rows).tobytes() == stepped(three.stream(), rows).tobytes()
    assert guarded.counts.clean == guarded.counts.samples == 50


def test_lists_float64_and_whole_numbers_are_taken_as_a_stream_takes_them(three):
    for row in ([0.1, 2, 3], (0.1, 2.0, 3.0), np.array([0.1, 2, 3]), np.array([0, 2, 3]), np.array([0.1, 2, 3], ">f4")):
        expected = stepped(three.stream(), [row] * 4)
        assert stepped(GuardedStream(three), [row] * 4).tobytes() == expected.tobytes()


def test_none_is_a_missing_value_as_json_has_it(three):
    guarded, same = GuardedStream(three), GuardedStream(three)
    for row in json.loads("[[0.1, 1, 1], [null, 2, 3], [0.2, null, null], [null, null, null], [0.3, 1, 1]]"):
        as_nan = [math.nan if value is None else value for value in row]
        assert guarded.step(row).tobytes() == same.step(as_nan).tobytes()
    assert guarded.counts == same.counts
    assert [counts.nan for counts in guarded.counts.channels.values()] == [2, 2, 2]


@pytest.mark.parametrize(
    "bad", [[1.0], [[0.0, 1.0, 1.0]], [], "abc", ["1", "2", "3"], [None, "2", 3], 1.0, [True] * 3, {}]
)
@pytest.mark.parametrize("seen", [0, 6])
def test_what_is_no_sample_is_refused_counted_and_changes_nothing(three, bad, seen):
    guarded, same = GuardedStream(three), GuardedStream(three)
    stepped(guarded, good(seen)) if seen else None
    stepped(same, good(seen)) if seen else None
    before, ready = as_bytes(guarded.state), guarded.ready
    with pytest.raises(InputError):
        guarded.step(bad)
    assert (as_bytes(guarded.state), guarded.ready) == (before, ready)
    assert guarded.counts == same.counts._replace(refused=1)
    assert guarded.step([math.nan, 1, 1]).tobytes() == same.step([math.nan, 1, 1]).tobytes()


def test_a_held_value_is_the_last_good_one_of_its_own_channel(three):
    guarded, plain = GuardedStream(three, Guard(max_hold=2)), three.stream()
    came = [[0.1, 1, 1], [0.2, math.nan, 2], [math.nan, math.inf, 3], [0.4, 4, math.nan]]
    meant = [[0.1, 1, 1], [0.2, 1, 2], [0.2, 1, 3], [0.4, 4, 3]]
    assert stepped(guarded, came).tobytes() == stepped(plain, meant).tobytes()
    assert guarded.counts.channels["b"] == (1, 1, 0, 2)


def test_a_good_value_lets_the_holding_begin_anew(three):
    guarded = GuardedStream(three, Guard(max_hold=1))
    stepped(guarded, [[0.1, 1, 1], [math.nan, 1, 1], [0.1, 1, 1], [math.nan, 1, 1]])
    assert (guarded.counts.mended, guarded.counts.missing, guarded.counts.resets) == (2, 0, 0)


def test_a_buffer_that_is_filled_again_changes_no_held_value(three):
    guarded, plain, buffer = GuardedStream(three), three.stream(), np.array([0.1, 1, 1], np.float32)
    guarded.step(buffer)
    buffer[:] = 77
    assert guarded.step(None).tobytes() == stepped(plain, [[0.1, 1, 1]] * 2)[-1].tobytes()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e39])
def test_a_stream_that_held_too_long_begins_anew_with_the_next_whole_sample(three, bad):
    guarded, rows = GuardedStream(three, Guard(max_hold=2)), good(9)
    stepped(guarded, rows)
    for _ in range(2):
        assert np.isfinite(guarded.step([bad, 1, 1])).all()
    for _ in range(5):
        assert np.isnan(guarded.step([bad, 1, 1])).all()
        assert not guarded.ready
    assert guarded.counts.resets == 1
    assert stepped(guarded, rows).tobytes() == stepped(three.stream(), rows).tobytes()


def test_after_a_reset_a_carried_stream_answers_at_once_and_a_window_stream_warms_up(three):
    guarded = GuardedStream(three, Guard(on_missing="reset"))
    stepped(guarded, good(9))
    guarded.step(None)
    answers = [guarded.ready for row in good(4) if guarded.step(row) is not None]
    assert answers == ([True] * 4 if three.contract.state == "carried" else [False, False, False, True])


def test_a_gap_is_filled_with_the_last_sample(three):
    guarded, plain = GuardedStream(three), three.stream()
    stepped(guarded, good(5), [START_S + i * PERIOD_S for i in range(5)])
    answer = guarded.step([0, 1, 1], START_S + 7 * PERIOD_S)
    assert answer.tobytes() == stepped(plain, [*good(5), good(5)[-1], good(5)[-1], [0, 1, 1]])[-1].tobytes()
    assert (guarded.counts.gaps, guarded.counts.filled, guarded.counts.clean) == (1, 2, 6)


def test_one_time_in_the_far_future_does_not_shut_the_stream_for_ever(three):
    guarded, beat = GuardedStream(three, Guard(max_late=3)), [START_S + i * PERIOD_S for i in range(30)]
    stepped(guarded, good(5), beat[:5])
    guarded.step(good(1)[0], START_S * 4)
    stepped(guarded, good(3), beat[6:9])
    assert guarded.counts.late == 3
    rows = good(8, seed=1)
    assert stepped(guarded, rows, beat[9:17]).tobytes() == stepped(three.stream(), rows).tobytes()
    assert guarded.counts.resets == 2


def test_every_way_to_tell_the_time_means_the_same(three):
    seconds = [1.7e9 + offset for offset in (0, 10, 12, 10, 20, 60, 70, 70)]
    ways = {
        "float": seconds,
        "numpy float": [np.float64(s) for s in seconds],
        "int": [int(s) for s in seconds],
        "numpy int": [np.int64(s) for s in seconds],
        **{
            unit: [np.datetime64(int(s), "s").astype(f"M8[{unit}]") for s in seconds]
            for unit in ("s", "ms", "us", "ns")
        },
    }
    counts = []
    for times in ways.values():
        guarded = GuardedStream(three)
        stepped(guarded, good(8), times)
        counts.append(guarded.counts)
    assert counts == [counts[0]] * len(ways)
    assert (counts[0].early, counts[0].duplicate, counts[0].late, counts[0].gaps) == (1, 2, 0, 1)


BAD_TIMES = [math.nan, math.inf, 1e300, 2**63, True, "2024-01-01", np.float32(1.7e9), np.timedelta64(1, "s"), [1.0]]
BAD_TIMES += [
    10**12,
    np.int64(-(10**12)),
    1e12,
    np.datetime64("NaT"),
    np.datetime64("9999-01-01"),
    np.datetime64("-1500-01-01T00:00"),
    1j,
    b"1",
]


@pytest.mark.parametrize("bad", BAD_TIMES, ids=repr)
def test_what_is_no_time_is_refused_and_changes_nothing(three, bad):
    guarded = GuardedStream(three)
    guarded.step(good(1)[0], START_S)
    before = as_bytes(guarded.state)
    with pytest.raises(InputError, match=r"^time_s: expected seconds since 1970"):
        guarded.step(good(1)[0], bad)
    assert as_bytes(guarded.state) == before
    assert guarded.counts.refused == 1


def test_once_a_sample_had_a_time_all_need_one_until_reset(three):
    guarded = GuardedStream(three)
    guarded.step(good(1)[0])
    guarded.step(good(1)[0], START_S)
    with pytest.raises(InputError, match=r"^time_s: expected"):
        guarded.step(good(1)[0])
    guarded.reset()
    guarded.step(good(1)[0])
    assert (guarded.counts.clean, guarded.counts.refused, guarded.counts.resets) == (3, 1, 0)


def test_without_a_period_only_the_order_is_looked_at(file):
    guarded = GuardedStream(Predictor(file._replace(contract=replace(file.contract, sample_period_s=None))))
    stepped(guarded, good(5), [0, 1, 10**10, 10**10, 5])
    counts = guarded.counts
    assert (counts.clean, counts.early, counts.gaps, counts.duplicate, counts.late) == (3, 0, 0, 1, 1)


def test_a_sample_on_the_border_of_training_is_inside_however_it_is_rounded(three):
    guarded = GuardedStream(three, Guard(margin=0))
    for row in ([-1, 0, 0], [1, 10, 0], np.array([0.1 + 0.9, 10, 1e30])):
        guarded.step(row)
    assert not any(channel.out_of_range for channel in guarded.counts.channels.values())
    guarded.step([1.000001, -1e-6, 0])
    assert [channel.out_of_range for channel in guarded.counts.channels.values()] == [1, 1, 0]


class Refusing:
    """A stream whose network refuses some samples."""

    def __init__(self, stream, refused):
        self.step_plain, self.refused, self.reset = stream.step, refused, stream.reset

    def step(self, sample, time_s=None, copy=True):
        if sample[1] in self.refused:
            raise InputError("the network answers infinity")
        return self.step_plain(sample, time_s, copy)


@pytest.mark.parametrize("last", [[0, 5, 1], [math.nan, 5, 1]])
def test_a_sample_that_the_network_itself_refuses_is_counted_once_and_leaves_the_state(three, last):
    guarded, plain = GuardedStream(three, Guard(on_gap="hold")), three.stream()
    beat = [START_S + i * PERIOD_S for i in range(9)]
    guarded._stream = Refusing(guarded._stream, [5])
    for sample, at in (([0.1, 1, 1], 0), ([0.2, 5, 1], 1), (last, 3)):
        if sample[1] == 5:
            with pytest.raises(InputError, match="the network answers infinity"):
                guarded.step(sample, beat[at])
        else:
            guarded.step(sample, beat[at])
    answer = guarded.step([0.4, 2, 2], beat[4])
    assert answer.tobytes() == stepped(plain, [[0.1, 1, 1]] * 4 + [[0.4, 2, 2]])[-1].tobytes()
    counts = guarded.counts
    assert (counts.clean, counts.mended, counts.refused, counts.samples) == (2, 0, 2, 4)
    assert (counts.gaps, counts.filled, counts.resets) == (2, 3, 0)


def test_an_answer_without_a_copy_is_overwritten_by_the_next(three):
    guarded = GuardedStream(three)
    stepped(guarded, good(5))
    view = guarded.step([0, 1, 1], copy=False)
    first = view.copy()
    assert np.shares_memory(view, guarded.step([0.5, 9, 1], copy=False))
    assert view.tobytes() != first.tobytes()


def test_writing_into_an_empty_answer_changes_no_later_one(three):
    guarded = GuardedStream(three)
    for _ in range(2):
        answer = guarded.step(None)
        assert np.isnan(answer).all()
        answer[:] = 0


@pytest.mark.parametrize(
    "options",
    [
        {"on_missing": "nan"},
        {"on_gap": None},
        {"on_late": "hold"},
        {"on_range": "reset"},
        {"max_hold": -1},
        {"max_hold": 1.0},
        {"max_late": True},
        {"drift_window": "9"},
        {"tolerance": 0.6},
        {"tolerance": math.nan},
        {"margin": -0.1},
        {"margin": math.nan},
        {"margin": "1"},
        {"drift_threshold": None},
    ],
    ids=str,
)
def test_a_guard_that_means_nothing_is_refused(options):
    with pytest.raises(InputError, match=f"^{next(iter(options))}: expected "):
        Guard(**options)


def test_a_second_thread_is_refused_and_changes_nothing(three):
    guarded, plain, inside, on = GuardedStream(three), three.stream(), threading.Event(), threading.Event()

    class Slow:
        def __array__(self, dtype=None, copy=None):
            inside.set()
            assert on.wait(60)
            return np.array([0.1, 1, 1])

    thread = threading.Thread(target=guarded.step, args=(Slow(),))
    thread.start()
    assert inside.wait(60)
    for call in (lambda: guarded.step([0.5, 2, 2]), guarded.reset):
        with pytest.raises(SharingError, match="another thread"):
            call()
    on.set()
    thread.join()
    assert guarded.counts.samples == guarded.counts.clean == 1
    assert guarded.step([0, 1, 1]).tobytes() == stepped(plain, [[0.1, 1, 1], [0, 1, 1]])[-1].tobytes()
