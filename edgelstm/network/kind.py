"""What a kind of layer tells of itself, whoever asks: the checks, the reference, an exporter, a trainer.

Notation: B batch, T steps, C size of the last axis.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

from edgelstm.network.flow import Flow, Weights

# What may flow between two layers, in the words of an error.
SEQUENCE, VECTOR = "a sequence", "one vector"

Tensor = tuple[str, tuple[int, ...]]  # name and shape


class Sizes(NamedTuple):
    """Of the last axis, in front of a layer and behind it."""

    into: int
    out: int


class Shape(NamedTuple):
    """What flows between two layers, as far as the layers alone tell.

    Attributes:
        size: of the last axis.
        form: `SEQUENCE`, [B, T, C], or `VECTOR`, [B, C].
        steps: of a sequence whose length a layer fixes; 0: as many as the window has, over `cut`.
        cut: samples of the window in one step.
        apart: channels that share a network, each of them a row; 0: all stand in one row.
    """

    size: int
    form: str = SEQUENCE
    steps: int = 0
    cut: int = 1
    apart: int = 0


class Place(NamedTuple):
    """Where a layer stands; its text begins an error, `layer 3 (lstm)`.

    Attributes:
        layer: itself.
        in_front, behind: the other layers of the network.
        shape: what the layer in front gives.
    """

    layer: Kind
    in_front: Sequence[Kind]
    behind: Sequence[Kind]
    shape: Shape

    def __str__(self) -> str:
        return f"layer {len(self.in_front) + 1} ({self.layer.kind})"


class Kind(ABC):
    """A kind of layer: a frozen dataclass. A run directory keeps its fields; the last one, `kind`, names it there.

    Here stands what most kinds have in common: no tensors, any size, nothing against a carried state. A kind says
    where it differs, and always what it computes.

    Attributes:
        kind: the name, the same for all layers of the kind.
        takes: what must stand in front of it, `SEQUENCE` or `VECTOR`; empty for either.
        step_by_step: whether it does the same to each step by itself, and so may change places with a `Take`.
        affine: whether it does so by products and sums alone, and so may change places with a mean.
    """

    kind: str
    takes: ClassVar[str] = ""
    step_by_step: ClassVar[bool] = False
    affine: ClassVar[bool] = False

    @property
    def sizes(self) -> Sizes | None:
        """The sizes that it fixes; None: it takes any."""
        return None

    @property
    def words(self) -> str:
        """What it does, in a few words for people."""
        return self.kind.replace("_", " ")

    @property
    def no_state(self) -> str:
        """What keeps a network with it from carrying its state on, in words; empty: nothing."""
        return ""

    @property
    def no_lengths(self) -> str:
        """Why a row may not end before its window does, in a sentence; empty: it may."""
        return ""

    def tensors(self) -> Iterator[Tensor]:
        """List the names and shapes of its weights; a scaling constant, whose size is not in the layer, has `()`."""
        yield from ()

    def behind(self, shape: Shape) -> Shape:
        """Tell what it gives from what it takes."""
        return shape if self.sizes is None else shape._replace(size=self.sizes.out)

    def size_in_front(self, size: int) -> int:
        """Give the size of the last axis in front of it, behind which it is `size`, where it fixes none."""
        return size

    def fixed_size(self, behind: Sequence[Kind]) -> int | None:
        """Give the size in front of it, where it or a layer behind it fixes one."""
        return None if self.sizes is None else self.sizes.into

    def moves_before(self, layer: Kind, masked: bool) -> bool:
        """Whether the network computes the same with this one in front of `layer`, right behind which it stands.

        Args:
            layer: the one in front.
            masked: whether steps may be skipped, and a mean be one of none.
        """
        return False

    def check(self) -> None:  # noqa: B027  (most kinds have nothing to check)
        """See that its own fields make sense.

        Raises:
            NetworkError: a number or a word is out of its range.
        """

    def check_place(self, place: Place) -> None:  # noqa: B027  (most kinds have nothing to check)
        """See that it may stand where it does; that `takes` and `sizes` fit is seen for all kinds alike.

        Raises:
            NetworkError: it may not.
        """

    def check_constants(self, weights: Weights, size: int) -> None:  # noqa: B027  (most kinds have nothing to check)
        """See that scaling constants are as long as what they scale.

        Args:
            weights: all tensors of the network, by name.
            size: of the last axis behind the layer.

        Raises:
            NetworkError: they are not.
        """

    @abstractmethod
    def compute(self, flow: Flow, weights: Weights) -> Flow:
        """Compute its output in float64."""


def input_size(layers: Sequence[Kind]) -> int:
    """Give the size of the last axis in front of all layers, from the first one that fixes a size; else 1."""
    for i, layer in enumerate(layers):
        size = layer.fixed_size(layers[i + 1 :])
        if size is not None:
            for passed in reversed(layers[:i]):
                size = passed.size_in_front(size)
            return size
    return 1


def size_behind(layer: Kind, size: int) -> int:
    """Give the size of the last axis behind a layer, in front of which it is `size`.

    Example:
        >>> from edgelstm.network import Linear, Take
        >>> size_behind(Linear("head", 8, 2), 8), size_behind(Take("last"), 8)
        (2, 8)
    """
    return layer.behind(Shape(size)).size
