"""Group texts by shape into blocks of bytes, so that a few array operations read a million times.

The shape of `"01.02.2020 10:00"` is `"00.00.0000 00:00"`, that of `"5 May"` is `"0 aaa"`. A column of times has few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_LENGTH = 64
MAX_SHAPES = 100
_BLANKS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " "})  # browsers and phones write them before PM
_CLASSES = bytes(
    ord("0") if chr(code).isdigit() else ord("a") if chr(code).isalpha() else code for code in range(128)
) + bytes(range(128, 256))


class Shape(NamedTuple):
    """Rows whose texts have one shape.

    Attributes:
        text: the shape.
        rows: of the column, in order: a slice of all or int64 [n].
        bytes: uint8 [len(text), n].
    """

    text: str
    rows: slice | NDArray[np.int64]
    bytes: NDArray[np.uint8]

    def number(self, start: int, end: int) -> NDArray[np.int64]:
        """Read the digits of some places as a number: int64 [n]; digits after the 19th are cut off."""
        small = end - start <= 4
        value = np.zeros(self.bytes.shape[1], np.int16 if small else np.int64)
        for digits in self.bytes[start : min(end, start + 19)]:
            value = value * 10 + (digits - ord("0"))
        return value.astype(np.int64)

    def words(self, start: int, end: int) -> tuple[list[str], NDArray[np.int64]]:
        """List the words at some places, in lower case, and which of them each row has."""
        part = self.bytes[start:end] | 0x20
        if (part == part[:, :1]).all():
            return [part[:, 0].tobytes().decode("ascii")], np.zeros(part.shape[1], np.int64)
        found, which = np.unique(np.ascontiguousarray(part.T).view(f"S{end - start}").ravel(), return_inverse=True)
        return [word.decode("ascii") for word in found.tolist()], which.astype(np.int64)


def shapes_of(texts: Sequence[str]) -> list[Shape]:
    """Group texts by their shape.

    Args:
        texts: at least one; blanks around them are ignored.

    Returns:
        The shapes, the most frequent first. Texts with characters outside ASCII or more than `MAX_LENGTH` characters,
        and those after the first `MAX_SHAPES` shapes, have the shape `""`.

    Example:
        >>> [(shape.text, shape.rows.tolist()) for shape in shapes_of(["1/2", "10/2", "3/4"])]
        [('0/0', [0, 2]), ('00/0', [1])]
    """
    block, classes = _block(texts)
    if (classes == classes[:, :1]).all():
        text = classes[:, 0].tobytes().decode("ascii").rstrip(" ")
        return [Shape(text, slice(None), block[: len(text)])]
    return sorted(_by_shape(block, classes), key=lambda shape: -shape.bytes.shape[1])


def _block(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The characters of all texts and their classes, each uint8 [L, N], blanks at the end of shorter ones."""
    length = len(texts[0])
    joined = "\n".join(texts)
    if not 0 < length <= MAX_LENGTH or not _is_even(joined, texts):
        plain = [text.strip() for text in texts]
        if not joined.isascii():
            plain = [text.translate(_BLANKS) for text in plain]
            plain = [text if text.isascii() else "" for text in plain]
        if joined.count("\n") >= len(texts) or max(map(len, plain)) > MAX_LENGTH:
            plain = [text if len(text) <= MAX_LENGTH and "\n" not in text else "" for text in plain]
        length = max(1, *map(len, plain))
        joined = "\n".join([text.ljust(length) for text in plain])
    raw = f"{joined}\n".encode("ascii")
    block, classes = (
        np.frombuffer(text, np.uint8).reshape(len(texts), length + 1)[:, :-1].T
        for text in (raw, raw.translate(_CLASSES))
    )
    return np.ascontiguousarray(block), np.ascontiguousarray(classes)


def _is_even(joined: str, texts: Sequence[str]) -> bool:
    """Whether all texts have the length of the first, and no blanks around them."""
    if len(joined) != len(texts) * (len(texts[0]) + 1) - 1 or not joined.isascii():
        return False
    if joined.count("\n") != len(texts) - 1 or joined[0] == " " or joined[-1] == " ":
        return False
    return "\n " not in joined and " \n" not in joined and len(set(map(len, texts))) == 1


def _by_shape(block: NDArray[np.uint8], classes: NDArray[np.uint8]) -> list[Shape]:
    """Group columns by a hash of their classes: a sum weighted by random odd numbers."""
    keys = np.zeros(block.shape[1], np.uint64)
    for row, weight in zip(classes, np.random.default_rng(0).integers(1 << 62, size=len(classes)), strict=True):
        keys += row * np.uint64(2 * weight + 1)
    found: list[Shape] = []
    left = np.arange(len(keys))
    while len(left):
        same = keys[left] == keys[left[0]]
        rows = left if len(found) == MAX_SHAPES else left[same]
        text = "" if len(found) == MAX_SHAPES else classes[:, rows[0]].tobytes().decode("ascii").rstrip(" ")
        found.append(Shape(text, rows, block[: len(text), rows]))
        left = left[:0] if len(found) > MAX_SHAPES else left[~same]
    return found
