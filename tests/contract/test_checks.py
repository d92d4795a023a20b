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


TOKEN = Channel("x", None, "int64", None, 9)
ONE_OUTPUT = EXAMPLE.outputs[0]._replace(origin=0.0)
PLAIN = replace(EXAMPLE, reading=None, inputs=(LEVEL,), outputs=(ONE_OUTPUT,), times=False)
WINDOW = {"state": "window", "states": ()}
INT8 = EXAMPLE.quantization
ALONE = [
    ({"format_version": 0}, "format_version 0 is unknown"),
    ({"format_version": 4}, "format_version 4 is unknown"),
    ({"task": "guess"}, "task is 'guess', expected one of"),
    ({"precision": "int4", "quantization": None}, "precision is 'int4', expected one of"),
    ({"state": "sometimes"}, "state is 'sometimes', expected one of"),
    ({"trained_state": "never"}, "trained_state is 'never', expected one of"),
    ({"scaling": "robust"}, "scaling is 'robust', expected one of"),
    ({"answer": "word"}, "answer is 'word', expected one of"),
    ({"window": 0}, "window and horizon must be at least 1"),
    ({"horizon": 0}, "window and horizon must be at least 1"),
    ({"sample_period_s": 0.0}, "sample_period_s must be positive or null"),
    ({"sample_period_s": -1.0}, "sample_period_s must be positive or null"),
    ({**WINDOW, "trained_state": "carried"}, "trained_state is 'carried', but there is no state"),
    ({"lengths": True}, "a carried file is stepped and takes no lengths"),
    ({"task": "label", "horizon": 2}, "the task label needs a horizon of 1"),
    ({"task": "classify", "horizon": 1}, "the task classify needs the answer 'class'"),
    ({"answer": "class"}, "a forecast needs the answer 'number' or 'quantile'"),
    ({"precision": "fp32"}, "precision fp32 and quantization Quantization(.*) contradict each other"),
    ({"quantization": None}, "precision int8 and quantization None contradict each other"),
    ({"quantization": INT8._replace(clip="wide")}, "quantization.clip is 'wide', expected one of"),
    ({"quantization": INT8._replace(head="fp16")}, "quantization.head is 'fp16', expected one of"),
    ({"quantization": INT8._replace(highway="fp16")}, "quantization.highway is 'fp16', expected one of"),
    ({"inputs": (LEVEL._replace(dtype="float64"),)}, "channel 'level' has dtype 'float64', expected 'float32'"),
    ({"inputs": (TOKEN, LEVEL)}, "channel 'x' has dtype 'int64', expected 'float32'"),
    ({"inputs": (TOKEN,), "outputs": (TOKEN,)}, "channel 'x' has dtype 'int64', expected 'float32'"),
    ({"inputs": (TOKEN._replace(categories=None),)}, "channel 'x' has None categories"),
    ({"inputs": (TOKEN._replace(categories=0),)}, "channel 'x' has 0 categories"),
    ({"inputs": (LEVEL._replace(categories=9),)}, "channel 'level' has 9 categories"),
    ({"inputs": (TOKEN,), "times": True}, "tokens have no times"),
    ({"inputs": (LEVEL._replace(cap=0.5),)}, "an input cannot have a quantile or a cap"),
    (
        {"outputs": (ONE_OUTPUT._replace(cap=0.5, origin=1.0),)},
        "an output that is a class or has a cap cannot have an origin",
    ),
    (
        {"outputs": (ONE_OUTPUT, ONE_OUTPUT._replace(name="other", cap=0.5, origin=1.0))},
        "an output that is a class or has a cap cannot have an origin",
    ),
    (
        {"task": "label", "horizon": 1, "answer": "class", "outputs": EXAMPLE.outputs},
        "an output that is a class or has a cap cannot have",
    ),
    (
        {
            "answer": "quantile",
            "outputs": quantiles(0.1) + quantiles(0.1, of="wind") + quantiles(0.9) + quantiles(0.9, of="wind"),
        },
        "the quantiles of a target are not adjacent",
    ),
    ({"task": "label", "horizon": 1, "many_series": True}, "many_series is for forecasts only"),
    (
        {"reading": READING._replace(time=None, rhythm=None), "sample_period_s": None},
        "reading has a rhythm, but no time",
    ),
    ({"reading": READING._replace(time=None, resample=None)}, "reading has a rhythm, but no time"),
    (
        {"reading": READING._replace(time=None, rhythm=None, resample=None), "sample_period_s": None, "times": True},
        "the file needs times, but reading has no time",
    ),
    ({"reading": READING._replace(rhythm=None)}, "sample_period_s is 600.0, but reading.rhythm is None"),
    ({"reading": READING, "sample_period_s": None}, "sample_period_s is None, but reading.rhythm is 10 min"),
    ({"reading": READING._replace(max_gap=-1)}, "reading.max_gap is -1"),
    ({"reading": READING._replace(dialect=DIALECT._replace(thousands=". "))}, "reading.dialect.thousands is '. '"),
    ({"reading": READING._replace(dialect=DIALECT._replace(thousands="x"))}, "reading.dialect.thousands is 'x'"),
    ({"reading": READING._replace(rhythm=Rhythm("second", 0.0))}, "reading.rhythm.count is 0.0 seconds"),
    ({"reading": READING._replace(rhythm=Rhythm("second", -600.0))}, "reading.rhythm.count is -600.0 seconds"),
    ({"reading": READING, "sample_period_s": 600.0 * (1 + 2e-9)}, "sample_period_s is 600, but one"),
]


@pytest.mark.parametrize(("change", "words"), ALONE, ids=[f"{i} {words}" for i, (_, words) in enumerate(ALONE)])
def test_each_contradiction_is_refused_for_itself_and_in_its_own_words(change, words):
    """All else fits, so that no other check can stand in for the one that is named."""
    with pytest.raises(ContractError, match=f"^contract: {words}"):
        replace(PLAIN, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"format_version": 1},
        {"window": 1, "horizon": 1},
        {"sample_period_s": 5e-324},
        {"sample_period_s": None},
        {**WINDOW, "lengths": True},
        {"trained_state": "carried"},
        {"many_series": True},
        {"inputs": (TOKEN._replace(categories=1),)},
        {"inputs": (LEVEL._replace(ahead=1, dtype="float32"), TOKEN._replace(dtype="float32", categories=None))},
        {"outputs": (ONE_OUTPUT._replace(cap=0.5),)},
        {"times": True},
        {"task": "label", "horizon": 1},
        {"task": "classify", "horizon": 1, "answer": "class"},
        {"reading": READING._replace(max_gap=0)},
        {"reading": READING._replace(max_gap=None)},
        {"reading": READING._replace(dialect=DIALECT._replace(skip_rows=0, thousands=""))},
        {"reading": READING._replace(dialect=DIALECT._replace(thousands=" "))},
        {"reading": READING._replace(dialect=None)},
        {"reading": READING._replace(time=TIME._replace(zone=None))},
        {"reading": READING._replace(time=None, rhythm=None, resample=None), "sample_period_s": None},
        {"reading": READING, "sample_period_s": 600.0 * (1 + 5e-10)},
    ],
    ids=str,
)
def test_what_is_just_allowed_is_taken(change):
    assert replace(PLAIN, **change)


def test_a_contradiction_is_refused_in_a_file_too():
    with pytest.raises(ContractError, match="state is 'window', but 1 state tensors are listed"):
        Contract.from_json(FROZEN.replace('"carried"', '"window"'))
