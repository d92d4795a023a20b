"""What must hold between the fields of a contract."""

from dataclasses import replace

import pytest

from edgelstm.contract import Channel, Contract, Statistics
from edgelstm.errors import ContractError
from edgelstm.reading import Rhythm
from tests.contract.example import EXAMPLE, FROZEN, READING

H0 = EXAMPLE.states[0]
LEVEL, _, CLEAR, DULL = EXAMPLE.inputs
DIALECT, TIME, RHYTHM = READING.dialect, READING.time, READING.rhythm


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
        {"inputs": (CLEAR._replace(column=None),)},
        {"inputs": (CLEAR, LEVEL, DULL)},
        {"inputs": (CLEAR, CLEAR)},
        {"inputs": (CLEAR, DULL._replace(ahead=3))},
        {"inputs": (CLEAR._replace(category=""),)},
        {"inputs": (CLEAR._replace(origin=1.0),)},
        {"inputs": (Channel("sky", None, "float32", None), CLEAR, DULL)},
        {"inputs": (Channel("x", None, "int64", None, 9, column="sky", category="9"),), "times": False},
        {"inputs": (Channel("x", None, "int64", None, 9, origin=1.0),), "times": False},
        {"inputs": (LEVEL._replace(origin=float("inf")),)},
        {"outputs": (CLEAR,)},
        {"outputs": (EXAMPLE.outputs[0]._replace(origin=float("nan")),)},
        {"task": "label", "horizon": 1, "answer": "class"},
        {"sample_period_s": 601.0},
        {"task": "label", "horizon": 1, "many_series": True},
        {"sample_period_s": None},
    ],
    ids=str,
)
def test_fields_that_contradict_each_other_are_refused(change):
    with pytest.raises(ContractError, match=r"^contract: "):
        replace(EXAMPLE, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"format": ""},
        {"duplicates": "keep"},
        {"gaps": "fill"},
        {"max_gap": -1},
        {"series": "Hour"},
        {"time": None},
        {"rhythm": None},
        {"rhythm": Rhythm("second", 1200.0)},
        {"rhythm": RHYTHM._replace(unit="week")},
        {"rhythm": RHYTHM._replace(count=-600.0)},
        {"rhythm": RHYTHM._replace(day=1)},
        {"time": TIME._replace(columns=())},
        {"time": TIME._replace(columns=("Date", "Date"))},
        {"time": TIME._replace(form="")},
        {"time": TIME._replace(zone="")},
        {"dialect": DIALECT._replace(delimiter="")},
        {"dialect": DIALECT._replace(delimiter=";;")},
        {"dialect": DIALECT._replace(delimiter='"')},
        {"dialect": DIALECT._replace(delimiter="\n")},
        {"dialect": DIALECT._replace(delimiter="7")},
        {"dialect": DIALECT._replace(decimal="·")},
        {"dialect": DIALECT._replace(thousands=",")},
        {"dialect": DIALECT._replace(decimal="", thousands=".")},
        {"dialect": DIALECT._replace(decimal="", thousands=",")},
        {"dialect": DIALECT._replace(thousands="00")},
        {"dialect": DIALECT._replace(encoding="ebcdic")},
        {"dialect": DIALECT._replace(skip_rows=-1)},
    ],
    ids=str,
)
def test_a_reading_that_contradicts_itself_or_the_rest_is_refused(change):
    with pytest.raises(ContractError, match=r"^contract: "):
        replace(EXAMPLE, reading=READING._replace(**change))


@pytest.mark.parametrize("thousands", ["", "'", " "])
@pytest.mark.parametrize("form", ["iso", "iso with offset", "iso without offset", "%d.%m.%Y %H:%M%z"])
def test_a_sign_that_nobody_knows_and_every_kind_of_stamps_come_back(thousands, form):
    dialect = DIALECT._replace(decimal="", thousands=thousands)
    reading = READING._replace(dialect=dialect, time=TIME._replace(form=form))
    assert Contract.from_json(replace(EXAMPLE, reading=reading).to_json()).reading == reading


@pytest.mark.parametrize(
    ("rhythm", "wrong"),
    [
        (Rhythm("month", 3, 31), Rhythm("month", 3, 32)),
        (Rhythm("month", 1, 1), Rhythm("month", 1, None)),
        (Rhythm("month", 12, 1), Rhythm("month", 12.5, 1)),
        (Rhythm("business day", 1), Rhythm("business day", 1.5)),
        (Rhythm("day", 7), Rhythm("day", 7, 7)),
        (Rhythm("second", 0.02), Rhythm("second", float("inf"))),
    ],
    ids=str,
)
def test_every_rhythm_has_its_period(rhythm, wrong):
    reading = READING._replace(rhythm=rhythm)
    kept = Contract.from_json(replace(EXAMPLE, reading=reading, sample_period_s=rhythm.period_s).to_json())
    assert (kept.reading, kept.sample_period_s) == (reading, rhythm.period_s)
    with pytest.raises(ContractError, match=r"^contract: reading\.rhythm"):
        replace(EXAMPLE, reading=reading._replace(rhythm=wrong), sample_period_s=rhythm.period_s)


def test_a_contradiction_is_refused_in_a_file_too():
    with pytest.raises(ContractError, match="state is 'window' but 1 state tensors are listed"):
        Contract.from_json(FROZEN.replace('"carried"', '"window"'))
