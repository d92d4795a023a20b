"""Signs and units at the numbers of a column."""

from __future__ import annotations

import pytest

from edgelstm.data.readers.asking import Asking
from edgelstm.data.readers.channels import read_channels
from edgelstm.data.readers.columns.units import unit_of
from edgelstm.errors import DataError
from tests.data.readers.texts import complaint, table


@pytest.mark.parametrize(
    ("words", "unit"),
    [
        (("$114.16", "$1,114.16", "-$2", "$-3"), "$"),
        (("US$ 114.16",), "US$"),
        (("\N{EURO SIGN}5",), "\N{EURO SIGN}"),
        (("EUR 1.5", "EUR 2"), "EUR"),
        (("14.2%", "3%"), "%"),
        (("1.234,50 EUR", "7 EUR"), "EUR"),
        (("23.4 \N{DEGREE SIGN}C", "-1 \N{DEGREE SIGN}C"), "\N{DEGREE SIGN}C"),
        (("1,5 m/s",), "m/s"),
        (("0.3 \N{MICRO SIGN}g/m\N{SUPERSCRIPT THREE}",), "\N{MICRO SIGN}g/m\N{SUPERSCRIPT THREE}"),
        (("12.3*",), "*"),
        (tuple(f"{volts} V" for volts in range(30)), "V"),
        (("$1", "\N{EURO SIGN}1"), None),
        (("14.2%", "3"), None),
        (("5A", "6A"), None),
        (("Q1", "Q2"), None),
        (("10:00 AM",), None),
        (("2024-01-01",), None),
        (("1.2.2020",), None),
        (("NW",), None),
        ((), None),
    ],
)
def test_a_unit_is_what_all_numbers_have_beside_them(words, unit):
    assert unit_of(words) == unit


@pytest.mark.parametrize(
    ("field", "unit"), [("$4.5", "$"), ("14.2%", "%"), ("1.234 EUR", "EUR"), ("23.4 \u00b0C", "\u00b0C")]
)
@pytest.mark.parametrize("asked", [{"columns": ("v",)}, {"columns": ("v",), "targets": ("v",)}])
def test_numbers_with_a_unit_are_neither_categories_nor_targets_and_name_it(field, unit, asked):
    found = table(f"t;v\n0;{field}\n1;{field}\n", delimiter=";")
    with pytest.raises(DataError, match="line 2: expected a number in column 'v'") as caught:
        read_channels(found, Asking(**asked))
    assert f"remove {unit!r} from the numbers" in str(caught.value)


def test_one_number_with_a_unit_among_many_names_it():
    assert "line 4: expected a number in column 'v', got '3.5%': remove '%' from the numbers" in complaint(
        "t,v\n0,1\n1,2\n2,3.5%\n"
    )


def test_few_whole_numbers_with_letters_behind_are_categories():
    found = read_channels(table("t,v\n0,5A\n1,6A\n2,5A\n"), Asking(columns=("v",)))
    assert found.names == ("v=5A", "v=6A")


@pytest.mark.parametrize("words", [("on", "off"), ("yes", "no"), ("True", "False"), ("idle", "busy")])
def test_labels_that_are_words_name_the_option_and_features_do_not(words):
    found = table(f"t,v\n0,{words[0]}\n1,{words[1]}\n")
    with pytest.raises(DataError, match=r"column 'v' holds words \(.*\), not numbers: give --classes"):
        read_channels(found, Asking(("v",), ("v",), task="label"))
    assert read_channels(found, Asking(("v",), task="label")).values.shape[0] == 2


def test_labels_that_are_numbers_stay_numbers():
    found = read_channels(table("t,v\n0,1\n1,0\n"), Asking(("v",), ("v",), task="label"))
    assert found.values.tolist() == [[1], [0]]
