"""The LSTM.

Notation: B batch, T steps, H hidden size, D directions, C size of the last axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgelstm.arrays import Array64
from edgelstm.errors import NetworkError
from edgelstm.network.flow import Flow, Valid, Weights, wide
from edgelstm.network.functions import FORMULAS, LSTM_FUNCTIONS
from edgelstm.network.kind import SEQUENCE, Kind, Sizes, Tensor

__all__ = ["Lstm"]


@dataclass(frozen=True)
class Lstm(Kind):
    """A stack as `torch.nn.LSTM` describes it: [B, T, input_size] becomes [B, T, D * (proj_size or hidden_size)].

    Formulas: `torch.nn.LSTM`, gates i f g o; Hochreiter and Schmidhuber 1997, Gers et al. 2000.

    Attributes:
        name: prefix of its tensors.
        input_size, hidden_size, num_layers, bidirectional, proj_size, bias: as in `torch.nn.LSTM`; proj_size 0: none.
        functions: of the gates, the cell candidate and the output; each a name in `LSTM_FUNCTIONS`. PyTorch's are
            sigmoid, tanh, tanh.
    """

    takes: ClassVar[str] = SEQUENCE

    name: str
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    proj_size: int = 0
    bias: bool = True
    functions: tuple[str, ...] = ("sigmoid", "tanh", "tanh")
    kind: str = "lstm"

    @property
    def directions(self) -> int:
        """D."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """Size of the last axis of the output."""
        return self.directions * (self.proj_size or self.hidden_size)

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.input_size, self.output_size)

    @property
    def words(self) -> str:
        functions = "" if self.functions == ("sigmoid", "tanh", "tanh") else f", {'/'.join(self.functions[:2])}"
        both = ", both directions" if self.bidirectional else ""
        return f"LSTM {self.input_size} -> {self.output_size}{functions}{both}"

    @property
    def no_state(self) -> str:
        return "both directions (the backward one begins at the end)" if self.bidirectional else ""

    def tensors(self) -> Iterator[Tensor]:
        """Names and shapes as `torch.nn.LSTM` documents them."""
        gates, state = 4 * self.hidden_size, self.proj_size or self.hidden_size
        for layer in range(self.num_layers):
            size = self.input_size if layer == 0 else self.output_size
            for suffix in ("", "_reverse")[: self.directions]:
                yield f"{self.name}.weight_ih_l{layer}{suffix}", (gates, size)
                yield f"{self.name}.weight_hh_l{layer}{suffix}", (gates, state)
                if self.bias:
                    yield f"{self.name}.bias_ih_l{layer}{suffix}", (gates,)
                    yield f"{self.name}.bias_hh_l{layer}{suffix}", (gates,)
                if self.proj_size:
                    yield f"{self.name}.weight_hr_l{layer}{suffix}", (self.proj_size, self.hidden_size)

    def check(self) -> None:
        if not 1 <= self.num_layers <= 8:
            raise NetworkError(f"LSTM {self.name!r}: expected 1 to 8 layers, got {self.num_layers}")
        if self.hidden_size < 1 or not 0 <= self.proj_size < self.hidden_size:
            raise NetworkError(
                f"LSTM {self.name!r}: expected a hidden_size of at least 1 and a proj_size below it, got "
                f"{self.hidden_size} and {self.proj_size}"
            )
        if len(self.functions) != 3 or not set(self.functions) <= set(LSTM_FUNCTIONS):
            raise NetworkError(
                f"LSTM {self.name!r}: expected three functions of {', '.join(LSTM_FUNCTIONS)}, got {self.functions}"
            )

    def compute(self, flow: Flow, weights: Weights) -> Flow:
        value, final = flow.value, np.empty(0)
        for layer in range(self.num_layers):
            outputs, finals = [], []
            for suffix in ("", "_reverse")[: self.directions]:
                steps = range(value.shape[1]) if not suffix else range(value.shape[1] - 1, -1, -1)
                out, h = self._direction(value, flow.valid, weights, f"l{layer}{suffix}", steps)
                outputs.append(out)
                finals.append(h)
            value, final = np.concatenate(outputs, axis=2), np.concatenate(finals, axis=1)
        if self.bidirectional:  # at a skipped step, each direction would repeat another answer, or has none to repeat
            value = np.where(flow.valid[:, :, np.newaxis], value, 0)
        return flow._replace(value=value, final=final)

    def _direction(
        self, x: Array64, valid: Valid, weights: Weights, suffix: str, steps: range
    ) -> tuple[Array64, Array64]:
        """Run one direction of one layer; an invalid step keeps the state and the answer of the step before."""
        w, r = wide(weights, f"{self.name}.weight_ih_{suffix}"), wide(weights, f"{self.name}.weight_hh_{suffix}")
        bias = sum(wide(weights, f"{self.name}.{b}_{suffix}") for b in ("bias_ih", "bias_hh")) if self.bias else 0.0
        gate, candidate, output = (FORMULAS[name] for name in self.functions)
        h, c = np.zeros((len(x), r.shape[1])), np.zeros((len(x), self.hidden_size))
        out = np.zeros((*x.shape[:2], r.shape[1]))
        for t in steps:
            i, f, g, o = np.split(x[:, t] @ w.T + h @ r.T + bias, 4, axis=1)
            new_c = gate(f) * c + gate(i) * candidate(g)
            new_h = gate(o) * output(new_c)
            if self.proj_size:
                new_h = new_h @ wide(weights, f"{self.name}.weight_hr_{suffix}").T
            counts = valid[:, t, np.newaxis]
            h, c = np.where(counts, new_h, h), np.where(counts, new_c, c)
            out[:, t] = h
        return out, h
