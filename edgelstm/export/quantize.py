"""Quantize a graph: from the fp32 graph to its int8, int8w and fp16 forms. Works on any graph with LSTM nodes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgelstm.arrays import Array
from edgelstm.contract import Precision, Quantization
from edgelstm.errors import ExportError, assert_never
from edgelstm.export.highway import WEIGHT
from edgelstm.quantization import LEVELS, quantize_rows

_Converted = Literal["int8", "int8w", "fp16"]
MICROSOFT = "com.microsoft"


def convert_graph(
    model: onnx.ModelProto, precision: Precision, quantization: Quantization | None = None
) -> onnx.ModelProto:
    """Write an fp32 graph in another precision.

    | precision | weights | arithmetic |
    |---|---|---|
    | `int8` | int8, 7 of the 8 bits | integers: `DynamicQuantizeLSTM`, activations quantized by their current range |
    | `int8w` | int8 | float32: `DequantizeLinear` before each weight, folded away at load |
    | `fp16` | float16 | LSTM in float16 if the device supports it, float32 on a CPU; the head stays float32 |

    A highway past the LSTM stays float32 unless `quantization.highway` says int8.

    Args:
        model: from `build_graph`, or a foreign graph; not changed.
        precision: one of the above, or `"fp32"`, which copies.
        quantization: for int8 and int8w; None for the measured defaults.

    Returns:
        A new model that has passed `onnx.checker`.

    Raises:
        ExportError: there is no LSTM with constant weights to convert.
    """
    converted = onnx.ModelProto()
    converted.CopyFrom(model)
    if precision == "fp32":
        return converted
    _Conversion(converted, precision, quantization or Quantization()).run()
    onnx.checker.check_model(converted)
    return converted


class _Conversion:
    """One pass over the nodes of a model, which is changed in place."""

    def __init__(self, model: onnx.ModelProto, precision: _Converted, quantization: Quantization) -> None:
        self.model = model
        self.precision = precision
        self.quantization = quantization
        self.weights = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
        self.nodes: list[onnx.NodeProto] = []

    def run(self) -> None:
        lstms = [node for node in self.model.graph.node if node.op_type == "LSTM" and self._is_constant(node)]
        if not lstms:
            raise ExportError(f"{self.precision}: expected a network with an LSTM whose weights are constant, got none")
        quantized = {kind for kind in ("head", "highway") if getattr(self.quantization, kind) == "int8"}
        for node in self.model.graph.node:
            if any(node is lstm for lstm in lstms):
                self._convert(node)
            elif self._is_product(node) and _part_of(node) in quantized:
                self._convert_product(node)
            else:
                self.nodes.append(node)
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in self.nodes]
        del self.model.graph.node[:]
        self.model.graph.node.extend(nodes)
        self._write_initializers()
        if self.precision == "int8" and all(o.domain != MICROSOFT for o in self.model.opset_import):
            self.model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))

    def _convert(self, node: onnx.NodeProto) -> None:
        """Convert an LSTM."""
        match self.precision:
            case "int8":
                self._int8(node)
            case "int8w":
                self._int8w(node)
            case "fp16":
                self._fp16(node)
            case _:
                assert_never(self.precision)

    def _convert_product(self, node: onnx.NodeProto) -> None:
        match self.precision:
            case "int8":
                self._int8_product(node)
            case "int8w":
                self._int8w_product(node)
            case "fp16":  # keeps products
                self.nodes.append(node)
            case _:
                assert_never(self.precision)

    def _is_constant(self, node: onnx.NodeProto) -> bool:
        return all(name in self.weights for name in node.input[1:4] if name) and len(node.input) >= 3

    def _is_product(self, node: onnx.NodeProto) -> bool:
        """Whether it multiplies by a constant matrix [C, N]."""
        if node.op_type not in ("Gemm", "MatMul") or node.input[1] not in self.weights:
            return False
        plain = all(a.name in ("alpha", "beta") and a.f == 1 for a in node.attribute)
        return plain and self.weights[node.input[1]].ndim == 2

    def _int8(self, node: onnx.NodeProto) -> None:
        """Kernel and recurrence become int8 [D, I, 4H], each with its scales [D, 4H] (or [D]) and zero points."""
        names = []
        for name in node.input[1:3]:
            whole, scale = self._quantized(self.weights[name])
            self.weights[f"{name}.int8"] = np.ascontiguousarray(whole.transpose(0, 2, 1))
            self.weights[f"{name}.scale"] = scale if self.quantization.per_channel else scale[:, :1].reshape(-1)
            self.weights[f"{name}.zero"] = np.zeros(self.weights[f"{name}.scale"].shape, np.int8)
            names.append(name)
        W, R = names
        rest = list(node.input[3:]) + [""] * (8 - len(node.input))
        inputs = [node.input[0], f"{W}.int8", f"{R}.int8", *rest]
        inputs += [f"{W}.scale", f"{W}.zero", f"{R}.scale", f"{R}.zero"]
        made = helper.make_node("DynamicQuantizeLSTM", inputs, list(node.output), name=node.name, domain=MICROSOFT)
        made.attribute.extend(
            a for a in node.attribute if a.name != "layout"
        )  # ONNX's; the kernel supports time-first only
        self.nodes.append(made)

    def _int8_product(self, node: onnx.NodeProto) -> None:
        """Quantize a product; a term that is not constant needs a node of its own: a highway added to the head."""
        name = node.input[1]
        whole, scale = self._quantized(self.weights[name].T[np.newaxis])
        self.weights[f"{name}.int8"] = np.ascontiguousarray(whole[0].T)
        self.weights[f"{name}.scale"] = scale[0] if self.quantization.per_channel else scale[0, :1]
        self.weights[f"{name}.zero"] = np.zeros(self.weights[f"{name}.scale"].shape, np.int8)
        bias = [added for added in node.input[2:3] if added in self.weights]
        inputs = [node.input[0], *(f"{name}.{part}" for part in ("int8", "scale", "zero")), *bias]
        added = [given for given in node.input[2:3] if given not in self.weights]
        output = f"{node.name}.product" if added else node.output[0]
        made = helper.make_node("DynamicQuantizeMatMul", inputs, [output], name=output, domain=MICROSOFT)
        self.nodes.append(made)
        if added:
            self.nodes.append(helper.make_node("Add", [output, *added], list(node.output), name=node.name))

    def _int8w(self, node: onnx.NodeProto) -> None:
        for k in (1, 2):
            node.input[k] = self._dequantized(node.input[k], self.weights[node.input[k]])
        self.nodes.append(node)

    def _int8w_product(self, node: onnx.NodeProto) -> None:
        """Put a Reshape between, so that a client that does not set the option still gets float32 arithmetic.

        onnxruntime 1.32 turns a DequantizeLinear directly before a product into MatMulNBits, which quantizes the
        activations: answers moved by up to 1 % of their spread. 1.20 to 1.24 do not.
        """
        name = node.input[1]
        whole, scale = self._quantized(self.weights[name].T[np.newaxis])
        matrix = np.ascontiguousarray(whole.transpose(0, 2, 1))
        node.input[1] = self._reshaped(name, self._dequantize(name, matrix, scale[0], axis=2), matrix.shape[1:])
        self.nodes.append(node)

    def _dequantized(self, name: str, tensor: Array) -> str:
        """Dequantize [D, 4H, I] with a scale per row; two directions as one matrix, as scales run along one axis."""
        whole, scale = self._quantized(tensor)
        directions, _, columns = tensor.shape
        if directions == 1:
            return self._dequantize(name, whole, scale[0], axis=1)
        flat = self._dequantize(name, whole.reshape(-1, columns), scale.reshape(-1), axis=0)
        return self._reshaped(name, flat, tensor.shape)

    def _reshaped(self, name: str, value: str, shape: tuple[int, ...]) -> str:
        self.weights[f"{name}.shape"] = np.array(shape, np.int64)
        inputs, made = [value, f"{name}.shape"], f"{name}.shaped"
        return self._once("Reshape", inputs, made)

    def _dequantize(self, name: str, whole: Array, scale: Array, axis: int) -> str:
        """Use scales along one axis, or a single scale if per tensor; with two directions each has its own.

        A single scale gets a zero point, although it is optional: onnxruntime moves such a node past a Reshape, and up
        to 1.24 it read a missing zero point as that of uint8, so that negative weights became 0.
        """
        inputs = [f"{name}.int8", f"{name}.scale"]
        if not self.quantization.per_channel and (scale == scale[0]).all():
            scale = scale[:1].reshape(())
            inputs.append(f"{name}.zero")
            self.weights[f"{name}.zero"] = np.zeros((), np.int8)
        self.weights[f"{name}.int8"], self.weights[f"{name}.scale"] = whole, scale
        return self._once("DequantizeLinear", inputs, f"{name}.float", axis=axis)

    def _once(self, operator: str, inputs: list[str], made: str, **attributes: Any) -> str:
        """Add a node for a tensor once; an unrolled decoder uses the same weights in many nodes."""
        if all(node.name != made for node in self.nodes):
            self.nodes.append(helper.make_node(operator, inputs, [made], name=made, **attributes))
        return made

    def _fp16(self, node: onnx.NodeProto) -> None:
        """Cast inputs and outputs; scaling and head, in physical units, need the range of float32."""
        for k, name in enumerate(node.input):
            if name in self.weights and k != 4:
                node.input[k] = f"{name}.half"
                self.weights[f"{name}.half"] = _half(self.weights[name], name)
            elif name and k != 4:  # 4: the lengths
                self._cast(name, f"{node.name}.half{k}", TensorProto.FLOAT16)
                node.input[k] = f"{node.name}.half{k}"
        outputs = list(node.output)
        for k, name in enumerate(outputs):
            node.output[k] = f"{name}.half" if name else ""
        self.nodes.append(node)
        for name in filter(None, outputs):
            self._cast(f"{name}.half", name, TensorProto.FLOAT)

    def _cast(self, old: str, new: str, to: int) -> None:
        self.nodes.append(helper.make_node("Cast", [old], [new], name=f"{new}.cast", to=to))

    def _quantized(self, tensor: Array) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """[D, R, C] to int8 [D, R, C] and float32 scales [D, R]."""
        options, levels = self.quantization, LEVELS[self.precision]
        parts = [quantize_rows(part, levels, options.per_channel, options.clip) for part in tensor.astype(np.float32)]
        return np.stack([whole for whole, _ in parts]), np.stack([scale for _, scale in parts])

    def _write_initializers(self) -> None:
        """Keep the initializers that nodes still use, in their old order; new ones follow."""
        used = {name for node in self.model.graph.node for name in node.input}
        old = {i.name: i for i in self.model.graph.initializer}
        made = [old[n] if n in old else numpy_helper.from_array(w, n) for n, w in self.weights.items() if n in used]
        kept = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in made]
        del self.model.graph.initializer[:]
        self.model.graph.initializer.extend(kept)


def _part_of(node: onnx.NodeProto) -> str:
    """Say which part a product belongs to: the highway, or what `Quantization.head` covers."""
    return "highway" if node.input[1] == WEIGHT else "head"


def _half(tensor: Array, name: str) -> NDArray[np.float16]:
    with np.errstate(over="ignore"):
        half = tensor.astype(np.float16)
    if not np.isfinite(half).all():
        raise ExportError(
            f"fp16: {name} holds {np.abs(tensor).max():.6g}, the largest float16 is 65504; use another precision"
        )
    return half
