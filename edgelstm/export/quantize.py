"""Quantize a graph: int8 weights per channel, activations quantized as they come, by onnxruntime."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

OPERATORS = ["LSTM", "Gemm", "MatMul"]


def quantize_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace LSTM and head by their int8 forms (`DynamicQuantizeLSTM`, `MatMulInteger`).

    The weights take 7 of the 8 bits (-64 to 64). With all 8, x86 processors without VNNI add pairs of products
    in 16 bits that overflow: on such a machine an LSTM of 64 units was off by 0.45 of its range 1, with 7 bits
    by 0.014, and then the answers are the same on every processor.

    Args:
        model: from `build_graph`; not changed.

    Returns:
        A new model that has passed `onnx.checker`.
    """
    quantized = onnx.ModelProto()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "quantized.onnx"
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)  # it advises a pre-processing that this graph does not need
        try:
            quantize_dynamic(
                onnx.ModelProto.FromString(model.SerializeToString()),
                path,
                op_types_to_quantize=OPERATORS,
                per_channel=True,
                reduce_range=True,
                weight_type=QuantType.QInt8,
            )
        finally:
            logging.disable(before)
        quantized.ParseFromString(path.read_bytes())
    quantized.producer_name, quantized.producer_version = model.producer_name, model.producer_version
    onnx.checker.check_model(quantized)
    return quantized
