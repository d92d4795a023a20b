import copy
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.contract import (
    FORMAT_VERSION,
    QUANTILE_LEVELS,
    Channel,
    Contract,
    Metrics,
    Provenance,
    Quantization,
    StateTensor,
    Statistics,
)
from edgelstm.errors import ContractError
from tests.contract.example import EXAMPLE, FROZEN

SCORES = ("network", "ridge")
FREE = {"versions", "baselines", *SCORES}  # their keys are names that anybody may choose


def places(value, path=()):
    """Every place in a JSON value, outermost first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def changed(path, change):
    """The example with `change` applied to the container and key at `path`, as text."""
    value = json.loads(FROZEN)
    change(at(value, path[:-1]), path[-1])
    return json.dumps(value)


def spelt(path):
    return "contract" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


PLACES = [path for path in places(json.loads(FROZEN)) if path]
KEYS = [path for path in PLACES if isinstance(path[-1], str) and not FREE & set(path[-2:-1])]
OBJECTS = [path for path in PLACES if isinstance(at(json.loads(FROZEN), path), dict) and path[-1] not in SCORES]

numbers = st.floats(allow_nan=False, allow_infinity=False)
statistics = st.builds(
    Statistics, numbers, numbers, numbers, numbers, st.lists(numbers, min_size=11, max_size=11).map(tuple)
)
names, units = st.text(), st.none() | st.text()
channels = st.builds(
    lambda name, unit, found: Channel(name, unit, "float32", found), names, units, st.none() | statistics
)
scores = st.dictionaries(st.sampled_from(["rmse", "mae", "accuracy"]), numbers)
metrics = st.builds(
    Metrics, st.text(), st.integers(), scores, st.none() | scores, st.dictionaries(st.text(), scores, max_size=2)
)
states = st.builds(
    lambda name, before, after: StateTensor(name, name + "_out", (*before, "B", *after), "float32"),
    st.text(min_size=1),
    *[st.lists(st.integers(1, 2**20), max_size=2)] * 2,
)


@st.composite
def contracts(draw):
    carried, quantized = draw(st.booleans()), draw(st.booleans())
    return Contract(
        format_version=FORMAT_VERSION,
        name=draw(st.text()),
        task="forecast",
        precision="int8" if quantized else "fp32",
        inputs=draw(st.lists(channels, min_size=1, max_size=2).map(tuple)),
        outputs=draw(st.lists(channels, min_size=1, max_size=2).map(tuple)),
        window=draw(st.integers(1, 10**6)),
        horizon=draw(st.integers(1, 10**6)),
        lengths=False,
        state="carried" if carried else "window",
        trained_state="window",
        states=(draw(states),) if carried else (),
        scaling=draw(st.sampled_from(["standard", "minmax", "none", "relative"])),
        sample_period_s=draw(st.none() | st.floats(1e-9, 1e12)),
        quantization=Quantization(draw(st.booleans()), "mse", "fp32") if quantized else None,
        fidelity=None,
        metrics=draw(st.lists(metrics, max_size=2).map(tuple)),
        provenance=draw(
            st.builds(
                Provenance,
                st.dictionaries(st.text(), st.text(), max_size=2),
                st.none() | st.text(),
                st.text(),
                st.integers(),
            )
        ),
    )


@given(contracts())
@settings(max_examples=60, deadline=None)
def test_a_contract_is_read_back_as_it_was_written(contract):
    text = contract.to_json()
    assert Contract.from_json(text) == contract
    assert Contract.from_json(text.encode()).to_json() == text


def test_the_text_of_a_contract_is_frozen():
    assert EXAMPLE.to_json() == FROZEN
    assert Contract.from_json(FROZEN) == EXAMPLE


@pytest.mark.parametrize("path", KEYS, ids=spelt)
def test_every_key_is_needed(path):
    with pytest.raises(ContractError, match=f"the key {path[-1]!r} is missing"):
        Contract.from_json(changed(path, lambda parent, key: parent.pop(key)))


@pytest.mark.parametrize("path", OBJECTS, ids=spelt)
def test_no_other_key_is_taken(path):
    with pytest.raises(ContractError, match=r"unknown key 'more'|\.more: expected"):
        Contract.from_json(changed(path, lambda parent, key: parent[key].update(more=1)))


def test_no_other_key_is_taken_at_the_top():
    with pytest.raises(ContractError, match="contract: unknown key 'more'"):
        Contract.from_json(json.dumps({**json.loads(FROZEN), "more": 1}))


@pytest.mark.parametrize("wrong", [True, [], {}, "text", 1.5, None], ids=repr)
def test_every_value_of_a_wrong_type_is_refused_at_its_place(wrong):
    for path in PLACES:
        right = at(json.loads(FROZEN), path)
        if _fits(path, right, wrong):
            continue
        text = changed(path, lambda parent, key: parent.__setitem__(key, copy.deepcopy(wrong)))
        with pytest.raises(ContractError) as caught:
            Contract.from_json(text)
        assert spelt(path) in str(caught.value) or path[-1] in ("format_version",), path


def _fits(path, right, wrong):
    """Whether the format takes a value of that type there, whatever its meaning."""
    optional = ("unit", "statistics", "file", "sample_period_s", "data_sha256", "quantile", "column", "cap")
    of_reading = ("reading", "dialect", "time", "series", "rhythm", "day", "resample", "max_gap", "zone")
    if (
        path[-1] in (*optional, *of_reading, "category", "categories", "quantization", "fidelity", "seed")
        and wrong is None
    ):
        return True
    if path[-1] == "file":
        return wrong == {}
    if path[-1] in ("unit", "data_sha256", "column", "category"):
        return isinstance(wrong, str)
    if path[-1] in ("quantile", "cap"):
        return type(wrong) is float
    if path[-2:-1] == ("shape",):
        return isinstance(wrong, str)
    if path[-1] == "sample_period_s":
        return type(wrong) is float
    if right is None:
        return False
    return type(wrong) is type(right)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
def test_a_number_that_is_not_finite_is_refused(number):
    with pytest.raises(ContractError):
        Contract.from_json(FROZEN.replace("600.0", number))


@pytest.mark.parametrize("text", ["", "null", "[]", "1", '"contract"', "{", FROZEN[:-1], FROZEN + "}", b"\xff"])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(ContractError, match="was not written by edgelstm"):
        Contract.from_json(text)


def test_a_key_given_twice_is_refused():
    with pytest.raises(ContractError, match="twice"):
        Contract.from_json(FROZEN[:-1] + ',"window":24}')


def test_a_contract_with_a_number_that_is_not_finite_is_not_written():
    broken = replace(EXAMPLE, reading=None, sample_period_s=float("inf"))
    with pytest.raises(ContractError, match="finite"):
        broken.to_json()


def test_the_quantiles_of_training_are_its_deciles():
    assert [round(10 * level, 9) for level in QUANTILE_LEVELS] == list(range(11))
