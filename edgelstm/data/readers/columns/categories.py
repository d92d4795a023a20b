"""Convert text to categories: one channel of 1 and 0 for each word.

A column is text if more than half of its known fields are neither numbers nor booleans; one word among many numbers is
a broken number instead, and an error names it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def words_of(texts: Sequence[str]) -> tuple[str, ...]:
    """List the categories of a column, sorted; an empty text is a missing sample, not a category.

    Example:
        >>> words_of(["NW", "SE", "", "NW"])
        ('NW', 'SE')
    """
    return tuple(sorted({text for text in texts if text}))


def one_hot(texts: Sequence[str], words: Sequence[str]) -> tuple[NDArray[np.float64], int]:
    """Give each category a channel.

    Args:
        texts: N words, empty where one is missing.
        words: W categories, each once.

    Returns:
        float64 [N, W]: 1 in the channel of the word and 0 in the others, all 0 for an unknown word, all NaN where the
        word is missing; and the number of unknown words.

    Example:
        >>> values, unseen = one_hot(["NW", "", "calm"], ["NW", "SE"])
        >>> values.tolist(), unseen
        ([[1.0, 0.0], [nan, nan], [0.0, 0.0]], 1)
    """
    place = {word: position for position, word in enumerate(words)}
    at = np.array([place.get(text, -1) if text else -2 for text in texts], np.int64)
    values = np.zeros((len(at), len(words)))
    known = np.flatnonzero(at >= 0)
    values[known, at[known]] = 1.0
    values[at == -2] = np.nan
    return values, int(np.count_nonzero(at == -1))
