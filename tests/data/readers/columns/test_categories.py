"""Words are converted to channels of 1 and 0."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgelstm.data.readers.columns.categories import one_hot, words_of
from tests.data.readers.texts import table

WORDS = st.lists(st.sampled_from(["", "NW", "SE", "cv", "calm"]), max_size=30)


def test_the_words_of_a_column_are_sorted_and_each_once():
    assert words_of(["SE", "", "NW", "SE"]) == ("NW", "SE")
    assert words_of([]) == ()


@given(texts=WORDS, words=st.lists(st.sampled_from(["NW", "SE", "cv"]), unique=True))
def test_each_row_has_a_one_in_the_channel_of_its_word(texts, words):
    values, unseen = one_hot(texts, words)
    assert values.shape == (len(texts), len(words))
    assert values.dtype == np.float64
    for text, row in zip(texts, values, strict=True):
        expected = [np.nan] * len(words) if text == "" else [float(text == word) for word in words]
        np.testing.assert_array_equal(row, expected)
    assert unseen == sum(text != "" and text not in words for text in texts)


@given(texts=WORDS)
def test_words_of_the_same_texts_leave_none_unseen(texts):
    values, unseen = one_hot(texts, words_of(texts))
    assert unseen == 0
    known = np.array([text != "" for text in texts], bool)
    assert (values[known].sum(axis=1) == 1).all()


def test_the_wind_of_a_table_becomes_channels():
    found = table("t,wind,v\n0,NW,1\n1,SE,2\n2,,3\n3,NW,4\n")
    assert [found.is_text(column) for column in found.columns] == [False, True, False]
    values, _ = one_hot(found.texts("wind"), words_of(found.texts("wind")))
    np.testing.assert_array_equal(values, [[1, 0], [0, 1], [np.nan, np.nan], [1, 0]])
