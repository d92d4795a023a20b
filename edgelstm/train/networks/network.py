"""A list of layers in torch: raw physical units in, raw physical units out, scaling inside.

Notation: B batch, T steps, F input channels, H hidden size, K horizon, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from edgelstm.errors import TrainingError
from edgelstm.network import (
    INSTANCE_EPSILON,
    Activation,
    Calendar,
    Layer,
    Linear,
    Lstm,
    Mask,
    Rescale,
    Standardize,
)
from edgelstm.train.networks.flow import Flow, State, last_step, mean_of_steps
from edgelstm.train.networks.kinds import IN_TORCH, Kinds
from edgelstm.train.networks.plan import Plan

Step = Callable[[Flow], Flow]


class ScaledAnswer(NamedTuple):
    """The answer of a network before it is scaled back to physical units.

    Attributes:
        z: float32 [B, K, O], or [B, T, K, O] at every step: in scaled units, or the logits of classes.
        frame: scales z to physical units.
        state: h and c of each LSTM after the last step, detached.
    """

    z: Tensor
    frame: Frame
    state: State


class Frame(NamedTuple):
    """The scaling of a window to physical units: y = z * scale + base."""

    scale: Tensor
    base: Tensor


class LstmNetwork(nn.Module):
    """The layers of a plan, run in order.

    Its parameters and buffers have the names of the tensors of the layers. If the last layer scales back to physical
    units, or is the softmax of classes, only `as_told` runs it: the loss is computed before it.

    Example:
        >>> import numpy as np
        >>> from edgelstm.network import Lstm, Network, Take
        >>> plan = Plan(Network((Lstm("lstm", 1, 8), Take("last"), Linear("head", 8, 3))), horizon=3, outputs=1)
        >>> LstmNetwork(plan, {})(torch.zeros(2, 5, 1)).shape
        torch.Size([2, 3, 1])
    """

    head: nn.Linear  # in networks made from a recipe

    def __init__(self, plan: Plan, constants: Mapping[str, NDArray[Any]], kinds: Kinds = IN_TORCH) -> None:
        """Make the layers, with the random weights of torch.

        Args:
            plan: the layers, and how training disturbs them.
            constants: float32, the scaling constants of the layers by name; other tensors are ignored.
            kinds: how each kind of layer runs.

        Raises:
            TrainingError: a tensor has a name that torch does not accept.
        """
        super().__init__()
        self.plan = plan
        layers = plan.network.layers
        for name in (name for name, shape in plan.network.tensors() if shape == ()):
            _keep(self, name, torch.from_numpy(constants[name].copy()))
        self._back = layers[-1] if _is_way_back(layers[-1], plan.classes) else None
        self._centred = plan.network.centred
        self._steps = list(self._make_steps(layers if self._back is None else layers[:-1], kinds))

    def _make_steps(self, layers: tuple[Layer, ...], kinds: Kinds) -> Iterator[Step]:
        """Make the modules, in the order in which their weights are drawn, and the functions that run them in order."""
        plan, begun, behind_lstm = self.plan, False, False
        for layer in layers:
            kind = kinds[type(layer)]
            module = kind.make(layer, plan.dropout) if kind.make else None
            if module is not None:
                _keep(self, layer.name, module)  # type: ignore[union-attr]  # layers with weights have a name
            if not begun and not isinstance(layer, (Standardize, Calendar, Mask)):
                begun = True
                yield partial(_disturbed, plan)
            if plan.dropout and behind_lstm and isinstance(layer, (Lstm, Linear)):
                yield partial(_dropped, plan)
            behind_lstm = behind_lstm or isinstance(layer, Lstm)
            yield partial(kind.run, layer, module)

    def forward(self, x: Tensor, lengths: Tensor | None = None, time_s: Tensor | None = None) -> Tensor:
        """Answer in physical units, or with the probabilities of classes.

        Args:
            x: float32 [B, T, F], or tokens int64 [B, T].
            lengths: int64 [B], the valid steps of each row; None: all are.
            time_s: int64 [B, T], seconds since 1970, for a network with a calendar.

        Returns:
            float32 [B, K, O], or [B, T, K, O] at every step.
        """
        return self.as_told(self.run(x, lengths, time_s))

    def as_told(self, answer: ScaledAnswer) -> Tensor:
        """Convert an answer to physical units, or to probabilities."""
        z, frame, _ = answer
        return torch.softmax(z, -1) if self.plan.classes else z * frame.scale + frame.base

    def run(
        self, x: Tensor, lengths: Tensor | None = None, time_s: Tensor | None = None, state: State | None = None
    ) -> ScaledAnswer:
        """Answer in scaled units, for the loss, from a given state or from zero; see `forward`."""
        plan = self.plan
        x, frame = self._framed(x, lengths)
        flow = Flow(x, self.get_buffer, self.training, lengths, time_s=time_s, before=state)
        for step in self._steps:
            flow = step(flow)
        z = flow.value.reshape(*flow.value.shape[: 1 + plan.every_step], plan.horizon, plan.outputs)
        return ScaledAnswer(z, frame, flow.after)

    def scale_targets(self, y: Tensor, frame: Frame) -> Tensor:
        """Convert targets from physical units to those of the loss: float32 [..., K, targets]."""
        scale, base = (part[..., :: self.plan.levels] for part in frame)
        return (y - base) / scale

    def in_spreads(self, z: Tensor, truth: Tensor, frame: Frame, spread: Tensor) -> tuple[Tensor, Tensor]:
        """Convert answers and targets from scaled units to units of the spread of each row's series.

        A window of a series with one sale a year has nearly no spread, and that one sale would dominate the loss.

        Args:
            z: float32 [B, K, O], at every step [B, T, K, O].
            truth: float32 [B, K, targets], at every step [B, T, K, targets].
            frame: of the windows.
            spread: float32 [B, targets].
        """
        levels = self.plan.levels
        factor = frame.scale[..., ::levels] / spread.reshape(len(spread), *[1] * (truth.ndim - 2), -1)
        return z * factor.repeat_interleave(levels, -1), truth * factor

    def way_back(self) -> Frame:
        """Give the scaling of the answers: float32 [O], or [K, O] if each step has its own."""
        back, outputs = self._back, self.plan.outputs
        if not isinstance(back, Rescale):
            like = next(self.parameters())
            return Frame(like.new_ones(outputs), like.new_zeros(outputs))
        constants = self.get_buffer(back.scale), self.get_buffer(back.offset)
        if len(constants[0]) == outputs:
            return Frame(*constants)
        numbers = self.plan.horizon * outputs
        return Frame(*(part.repeat(numbers // len(part)).reshape(-1, outputs) for part in constants))

    def set_start(self, weight: Any, bias: Any) -> None:
        """Start the network as a linear model; its head becomes zero, and the LSTM learns the residual.

        The linear layer is frozen: training changes only the rest.

        Args:
            weight: float32 [outputs of the head, steps * F] of the highway, in scaled units on both sides: column
                t * F + c is channel c of sample t as the first layer scales it; row k * O + o is output o at step k,
                before `Frame.scale` and `Frame.base`. For shared channels [K * levels, T]; at every step [O, F].
            bias: float32 [outputs of the head].

        Raises:
            ValueError: there is no such layer, or the shapes do not fit it.

        Example:
            >>> import numpy as np
            >>> from edgelstm.network import Highway, Lstm, Network, Take
            >>> layers = (Standardize("offset", "factor"), Lstm("lstm", 1, 8), Take("last"), Linear("head", 8, 2))
            >>> plan = Plan(Network((*layers, Highway("highway", 5, 1, 2)), (0,)), horizon=2, outputs=1)
            >>> network = LstmNetwork(plan, {"offset": np.zeros(1, np.float32), "factor": np.ones(1, np.float32)})
            >>> network.set_start(np.eye(2, 5, dtype=np.float32), np.zeros(2, np.float32))
            >>> network(torch.tensor([[[3.0], [4.0], [0.0], [0.0], [1.0]]])).flatten().tolist()
            [3.0, 4.0]
        """
        highway = self.plan.network.highway
        if highway is None:
            raise ValueError(
                "expected a network with a highway, got one without: plan it with the steps the highway reads"
            )
        module = self.get_submodule(highway.name)
        for name, given in (("weight", weight), ("bias", bias)):
            found, expected = torch.as_tensor(given), module.get_parameter(name)
            if found.shape != expected.shape:
                raise ValueError(f"{name}: expected shape {list(expected.shape)}, got {list(found.shape)}")
            expected.data.copy_(found)
        self.silence()

    def silence(self) -> None:
        """Set the head to zero."""
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def _framed(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Frame]:
        """Scale x relative to its own window, and give the frame to scale the answer back."""
        network, (scale, offset) = self.plan.network, self.way_back()
        if not network.relative_inputs:
            return x, Frame(scale, offset)
        centred = torch.tensor(self._centred, device=x.device)
        if not network.instance:
            last = last_step(x, lengths)[:, None]
            return x - last * centred, Frame(scale, self._of_outputs(last) + offset)
        first = x[:, :1]  # the mean of differences is exact in a constant window
        mean = (first + mean_of_steps(x - first, lengths)[:, None]) * centred
        factor = self.get_buffer(network.layers[0].factor)  # type: ignore[union-attr]  # checked to be a standardize
        variance = mean_of_steps(((x - mean) * factor) ** 2, lengths)[:, None]
        spread = torch.sqrt(variance + INSTANCE_EPSILON)
        spread = torch.where(centred, spread, torch.ones_like(spread))
        of_outputs = self._of_outputs(spread)
        frame = Frame(scale * of_outputs, offset * of_outputs + self._of_outputs(mean))
        return (x - mean) / spread, frame

    def _of_outputs(self, found: Tensor) -> Tensor:
        """Give each output the value of its input: [B, 1, F] to [B, 1, O], or [B, 1, 1, O]."""
        of_outputs = found[..., list(self.plan.network.relative_inputs)]
        return of_outputs[:, None] if self.plan.every_step else of_outputs


def begin_orthogonal(network: LstmNetwork) -> None:
    """Use weights from which LSTMs train well: orthogonal recurrence, open forget gates, a head of zeros.

    Source: Jozefowicz et al. 2015, "An Empirical Exploration of Recurrent Network Architectures" (forget bias 1);
    Saxe et al. 2014 (orthogonal). On CO2 it lowers the validation RMSE of three seeds from 0.527 to 0.521 ppm.
    """
    for lstm in network.plan.network.lstms:
        forget = slice(lstm.hidden_size, 2 * lstm.hidden_size)  # PyTorch's gates are i f g o
        for name, parameter in network.get_submodule(lstm.name).named_parameters():
            if name.startswith("weight_hh"):
                for gate in parameter.data.chunk(4):
                    nn.init.orthogonal_(gate)
            elif name.startswith("bias"):
                parameter.data.zero_()
            if name.startswith("bias_ih"):
                parameter.data[forget] = 1.0
    network.silence()


def _is_way_back(layer: Layer, classes: bool) -> bool:
    """Whether the loss is computed before this last layer."""
    return layer == Activation("softmax") if classes else isinstance(layer, Rescale)


def _keep(network: nn.Module, name: str, value: nn.Module | Tensor) -> None:
    """Store a module or a constant under its name; each part of a name with dots is a module that contains the next."""
    *folders, last = name.split(".")
    for folder in folders:
        if folder not in dict(network.named_children()):
            _keep(network, folder, nn.Module())
        network = network.get_submodule(folder)
    try:
        if isinstance(value, nn.Module):
            network.add_module(last, value)
        else:
            network.register_buffer(last, value)
    except KeyError as error:
        raise TrainingError(
            f"{name}: torch does not accept this tensor name; rename the tensor and import again"
        ) from error


def _dropped(plan: Plan, flow: Flow) -> Flow:
    return flow._replace(value=F.dropout(flow.value, plan.dropout)) if flow.training else flow


def _disturbed(plan: Plan, flow: Flow) -> Flow:
    """In training, drop channels of a row, shift them and add noise, so that no answer depends on one of them."""
    return flow._replace(value=disturbed(plan, flow.value)) if flow.training else flow


def disturbed(plan: Plan, x: Tensor) -> Tensor:
    """Disturb scaled inputs float32 [B, T, C] as a plan says."""
    if plan.input_dropout:
        x = x * F.dropout(torch.ones_like(x[:, :1]), plan.input_dropout)
    if plan.drift:
        drift = torch.tensor(plan.drift, device=x.device)
        x = torch.cat(
            [x[..., : len(drift)] + drift * torch.randn_like(x[:, :1, : len(drift)]), x[..., len(drift) :]], -1
        )
    if plan.input_noise:
        x = x + plan.input_noise * torch.randn_like(x)
    return x
