import copy
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.contract import (
    FORMAT_VERSION,
    Channel,
    Contract,
    Fidelity,
    Metrics,
    Provenance,
    Quantization,
    StateTensor,
    Statistics,
)
from edgelstm.errors import ContractError

EXAMPLE = Contract(
    format_version=2,
    name="tide",
    task="forecast",
    precision="int8",
    inputs=(
        Channel("level", "m", "float32", Statistics(0.5, 0.25, -1.0, 2.0, tuple(i / 8 for i in range(11)))),
        Channel("wind", None, "float32", None, ahead=3),
    ),
    outputs=(Channel("level", "m", "float32", None),),
    window=24,
    horizon=3,
    lengths=False,
    state="carried",
    trained_state="window",
    states=(StateTensor("h0", "h0_out", (1, "B", 8), "float32"),),
    scaling="standard",
    sample_period_s=600.0,
    quantization=Quantization(True, "mse", "fp32"),
    fidelity=Fidelity((0.5,), (0.0,), (0.25,)),
    metrics=(Metrics("test", 7, {"rmse": 2.0, "mae": 1.5}, None, {"ridge": {"rmse": 1e-07}}),),
    provenance=Provenance({"edgelstm": "0.1.0"}, None, "ab" * 32, 0),
    times=True,
)
FROZEN_1 = (
    '{"fidelity":{"neighbour_difference":[0.25],"network_error":[0.5],"stream_difference":[0.0]},"format_version":1,'
    '"horizon":3,"inputs":[{"categories":null,"dtype":"float32","name":"level","statistics":{"max":2.0,"mean":0.5,'
    '"min":-1.0,"quantiles":[0.0,0.125,0.25,0.375,0.5,0.625,0.75,0.875,1.0,1.125,1.25],"std":0.25},"unit":"m"},'
    '{"categories":null,"dtype":"float32","name":"wind","statistics":null,"unit":null}],"lengths":false,"metrics":[{"baselines":{"ridge":{"mae":1.5,'
    '"mse":4.0,"rmse":2.0,"scaled_mae":1e-07,"scaled_mse":0.5}},"file":null,"network":{"mae":1.5,"mse":4.0,"rmse":2.0,'
    '"scaled_mae":0.25,"scaled_mse":0.5},"part":"test","windows":7}],"name":"tide","outputs":[{"categories":null,"dtype":"float32",'
    '"name":"level","statistics":null,"unit":"m"}],"precision":"int8","provenance":{"data_sha256":null,"seed":0,'
    '"versions":{"edgelstm":"0.1.0"},"weights_sha256":"'
    + "ab"
    * 32
    + '"},"quantization":{"clip":"mse","head":"fp32","per_channel":true},'
    '"sample_period_s":600.0,"scaling":"standard",'
    '"state":"carried","states":[{"dtype":"float32","input":"h0","output":"h0_out","shape":[1,"B",8]}],'
    '"task":"forecast","trained_state":"window","window":24}'
)
FROZEN = (
    '{"answer":"number","fidelity":{"neighbour_difference":[0.25],"network_error":[0.5],"stream_difference":[0.0]},'
    '"format_version":2,"horizon":3,"inputs":[{"ahead":0,"cap":null,"categories":null,"column":null,"dtype":"float32",'
    '"name":"level","quantile":null,"statistics":{"max":2.0,"mean":0.5,"min":-1.0,"quantiles":[0.0,0.125,0.25,0.375,0.5,'
    '0.625,0.75,0.875,1.0,1.125,1.25],"std":0.25},"unit":"m"},{"ahead":3,"cap":null,"categories":null,"column":null,'
    '"dtype":"float32","name":"wind","quantile":null,"statistics":null,"unit":null}],"lengths":false,"metrics":[{"baselines":'
    '{"ridge":{"rmse":1e-07}},"file":null,"network":{"mae":1.5,"rmse":2.0},"part":"test","windows":7}],"name":"tide",'
    '"outputs":[{"ahead":0,"cap":null,"categories":null,"column":null,"dtype":"float32","name":"level","quantile":null,'
    '"statistics":null,"unit":"m"}],"precision":"int8","provenance":{"data_sha256":null,"seed":0,"versions":{"edgelstm":'
    '"0.1.0"},"weights_sha256":"'
    + "ab"
    * 32
    + '"},"quantization":{"clip":"mse","head":"fp32","per_channel":true},"sample_period_s":600.0,"scaling":"standard",'
    '"state":"carried","states":[{"dtype":"float32","input":"h0","output":"h0_out","shape":[1,"B",8]}],"task":"forecast",'
    '"times":true,"trained_state":"window","window":24}'
)
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


def test_a_contract_of_the_first_format_is_read_as_what_it_meant():
    contract = Contract.from_json(FROZEN_1)
    assert (contract.format_version, contract.answer, contract.times) == (1, "number", False)
    assert contract.metrics[0].network["scaled_mae"] == 0.25
    assert replace(EXAMPLE, times=False).inputs[0] == contract.inputs[0]
    classifies = FROZEN_1.replace('"forecast"', '"classify"').replace('"horizon":3', '"horizon":1')
    assert Contract.from_json(classifies).answer == "class"


@pytest.mark.parametrize("key", ["answer", "times"])
def test_the_first_format_does_not_know_later_keys(key):
    with pytest.raises(ContractError, match=f"unknown key '{key}' in a file of format 1"):
        Contract.from_json(FROZEN_1[:-1] + f',"{key}":true}}')
    with pytest.raises(ContractError, match="unknown key 'ahead' in a file of format 1"):
        Contract.from_json(FROZEN_1.replace('"categories"', '"ahead":0,"categories"'))


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
    if path[-1] in (*optional, "categories", "quantization", "fidelity", "seed") and wrong is None:
        return True
    if path[-1] == "file":
        return wrong == {}
    if path[-1] in ("unit", "data_sha256", "column"):
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


@pytest.mark.parametrize("version", [3, 99, 10**30])
def test_a_newer_format_is_told_before_anything_else_is_looked_at(version):
    with pytest.raises(ContractError, match=f"this file has format {version}, this edgelstm reads up to 2; upgrade"):
        Contract.from_json(json.dumps({"format_version": version, "what": "a later edgelstm may write"}))


@pytest.mark.parametrize("version", [0, -1])
def test_a_format_that_never_was_is_refused(version):
    with pytest.raises(ContractError, match="format_version"):
        Contract.from_json(json.dumps({**json.loads(FROZEN), "format_version": version}))


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


H0 = EXAMPLE.states[0]


def quantiles(*levels, of="level"):
    return tuple(Channel(f"{of} q{level}", "m", "float32", None, quantile=level, column=of) for level in levels)


def test_quantiles_are_of_targets():
    contract = replace(EXAMPLE, answer="quantile", outputs=quantiles(0.1, 0.9) + quantiles(0.1, 0.9, of="wind"))
    assert [target.source for target in contract.targets] == ["level", "wind"]
    assert contract.metric == "scaled_pinball"
    assert replace(contract, outputs=quantiles(0.1, 0.9)).metric == "pinball"
    assert EXAMPLE.metric == "rmse"


@pytest.mark.parametrize(
    "change",
    [
        {"task": "classify"},
        {"precision": "fp16"},
        {"state": "sometimes"},
        {"scaling": "robust"},
        {"window": 0},
        {"horizon": 0},
        {"window": -3},
        {"inputs": ()},
        {"outputs": ()},
        {"sample_period_s": 0.0},
        {"sample_period_s": -1.0},
        {"sample_period_s": float("nan")},
        {"state": "window"},
        {"states": ()},
        {"states": (H0._replace(shape=(1, 8)),)},
        {"states": (H0._replace(shape=("B", "B", 8)),)},
        {"states": (H0._replace(shape=(1, "T", "B")),)},
        {"states": (H0._replace(shape=(0, "B", 8)),)},
        {"states": (H0._replace(shape=(-1, "B", 8)),)},
        {"states": (H0._replace(shape=(2**20 + 1, "B", 8)),)},
        {"states": (H0._replace(dtype="float16"),)},
        {"inputs": (EXAMPLE.inputs[0]._replace(dtype="int64"),)},
        {"outputs": (Channel("y", None, "float32", Statistics(0.0, 1.0, 0.0, 1.0, (0.0,) * 10)),)},
        {"answer": "word"},
        {"answer": "class"},
        {"answer": "quantile"},
        {"inputs": (EXAMPLE.inputs[0]._replace(ahead=-1),)},
        {"inputs": (EXAMPLE.inputs[0]._replace(quantile=0.5),)},
        {"inputs": (EXAMPLE.inputs[0]._replace(cap=0.5),)},
        {"outputs": (EXAMPLE.outputs[0]._replace(ahead=1),)},
        {"outputs": (EXAMPLE.outputs[0]._replace(quantile=0.5),)},
        {"answer": "quantile", "outputs": quantiles(0.9, 0.1)},
        {"answer": "quantile", "outputs": quantiles(0.1, 1.0)},
        {"answer": "quantile", "outputs": quantiles(0.1, 0.9) + quantiles(0.2, 0.9, of="wind")},
        {"answer": "quantile", "outputs": quantiles(0.1, 0.9)[:1] + quantiles(0.1, of="wind") + quantiles(0.9)},
    ],
    ids=str,
)
def test_fields_that_contradict_each_other_are_refused(change):
    with pytest.raises(ContractError, match=r"^contract: "):
        replace(EXAMPLE, **change)


def test_a_contradiction_is_refused_in_a_file_too():
    with pytest.raises(ContractError, match="state is 'window' but 1 state tensors are listed"):
        Contract.from_json(FROZEN.replace('"carried"', '"window"'))


def test_a_contract_with_a_number_that_is_not_finite_is_not_written():
    broken = replace(EXAMPLE, sample_period_s=float("inf"))
    with pytest.raises(ContractError, match="finite"):
        broken.to_json()
