"""What each kind of layer says about itself to the checks, the reference, an exporter and a trainer.

Notation: B batch, T steps, C size of the last axis.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

from edgelstm.network.flow import Flow, Weights

# The forms of a value between two layers, in the words of an error.
SEQUENCE, VECTOR = "a sequence", "one vector"

Tensor = tuple[str, tuple[int, ...]]  # name and shape


class Sizes(NamedTuple):
    """Sizes of the last axis, before and after a layer."""

    into: int
    out: int


class Shape(NamedTuple):
    """The shape of a value between two layers, as far as the layers alone define it.

    Attributes:
        size: of the last axis.
        form: `SEQUENCE`, [B, T, C], or `VECTOR`, [B, C].
        steps: length of a sequence, if a layer fixes it; 0: the steps of the window divided by `cut`.
        cut: samples of the window in one step.
        apart: number of channels that share a network, each in a row of its own; 0: all channels are in one row.
    """

    size: int
    form: str = SEQUENCE
    steps: int = 0
    cut: int = 1
    apart: int = 0


class Place(NamedTuple):
    """The place of a layer in a network; as text it begins an error: `layer 3 (lstm)`.

    Attributes:
        layer: the layer itself.
        in_front, behind: the layers before and after it.
        shape: of the value before it.
    """

    layer: Kind
    in_front: Sequence[Kind]
    behind: Sequence[Kind]
    shape: Shape

    def __str__(self) -> str:
        return f"layer {len(self.in_front) + 1} ({self.layer.kind})"


class Kind(ABC):
    """A kind of layer: a frozen dataclass. A run directory stores its fields; the last one, `kind`, identifies it.

    The defaults fit most kinds: no tensors, any size, can be used with a carried state. A kind overrides what differs,
    and always what it computes.

    Attributes:
        kind: the name, the same for all layers of the kind.
        takes: the form of its input, `SEQUENCE` or `VECTOR`; empty for either.
        step_by_step: whether it processes each step independently, and so may swap places with a `Take`.
        affine: whether it does so with products and sums alone, and so may swap places with a mean.
    """

    kind: str
    takes: ClassVar[str] = ""
    step_by_step: ClassVar[bool] = False
    affine: ClassVar[bool] = False

    @property
    def sizes(self) -> Sizes | None:
        """The sizes that it fixes; None: any size."""
        return None

    @property
    def words(self) -> str:
        """What it does, in a few words."""
        return self.kind.replace("_", " ")

    @property
    def no_state(self) -> str:
        """What prevents a network with it from carrying its state, in words; empty: nothing."""
        return ""

    @property
    def no_lengths(self) -> str:
        """Why rows cannot have lengths shorter than the window, in a sentence; empty: they can."""
        return ""

    def tensors(self) -> Iterator[Tensor]:
        """List the names and shapes of its weights; a scaling constant, whose size is not in the layer, has `()`."""
        yield from ()

    def behind(self, shape: Shape) -> Shape:
        """Give the shape of its output, from the shape of its input."""
        return shape if self.sizes is None else shape._replace(size=self.sizes.out)

    def size_in_front(self, size: int) -> int:
        """Give the size of its input's last axis, from that of its output, if it does not fix the size itself."""
        return size

    def fixed_size(self, behind: Sequence[Kind]) -> int | None:
        """Give the size of its input, if it or a layer after it fixes one."""
        return None if self.sizes is None else self.sizes.into

    def moves_before(self, layer: Kind, masked: bool) -> bool:
        """Whether the network computes the same with this layer moved before `layer`, which it directly follows.

        Args:
            layer: the one before it.
            masked: whether steps may be skipped, so that a mean may have no steps.
        """
        return False

    def check(self) -> None:  # noqa: B027  (most kinds have nothing to check)
        """Check its own fields.

        Raises:
            NetworkError: a field has an invalid value.
        """

    def check_place(self, place: Place) -> None:  # noqa: B027  (most kinds have nothing to check)
        """Check that it is allowed at its place; `takes` and `sizes` are checked for all kinds elsewhere.

        Raises:
            NetworkError: it is not.
        """

    def check_constants(self, weights: Weights, size: int) -> None:  # noqa: B027  (most kinds have nothing to check)
        """Check that scaling constants have the size of the values they scale.

        Args:
            weights: all tensors of the network, by name.
            size: of the last axis after the layer.

        Raises:
            NetworkError: they do not.
        """

    @abstractmethod
    def compute(self, flow: Flow, weights: Weights) -> Flow:
        """Compute its output in float64."""


def input_size(layers: Sequence[Kind]) -> int:
    """Give the size of the last axis before all layers, from the first layer that fixes a size; else 1."""
    for i, layer in enumerate(layers):
        size = layer.fixed_size(layers[i + 1 :])
        if size is not None:
            for passed in reversed(layers[:i]):
                size = passed.size_in_front(size)
            return size
    return 1


def size_behind(layer: Kind, size: int) -> int:
    """Give the size of the last axis after a layer, if it is `size` before the layer.

    Example:
        >>> from edgelstm.network import Linear, Take
        >>> size_behind(Linear("head", 8, 2), 8), size_behind(Take("last"), 8)
        (2, 8)
    """
    return layer.behind(Shape(size)).size
