"""Summarize the graph of a checked file, without the onnx package."""

from __future__ import annotations

import math
from collections import Counter
from typing import NamedTuple

from edgelstm.errors import ModelFileError
from edgelstm.runtime.file import schema
from edgelstm.runtime.file.protobuf import DamagedProtobufError
from edgelstm.runtime.file.schema import Message, number, numbers, read_message, text, whole


class GraphSummary(NamedTuple):
    """A summary of a graph, for people.

    Attributes:
        ir_version: IR version of the ONNX file.
        opsets: version by domain; `""` is the standard one.
        nodes: how many nodes of each operator, most frequent first.
        parameters: how many numbers the initializers hold.
    """

    ir_version: int
    opsets: dict[str, int]
    nodes: dict[str, int]
    parameters: int


def summarize_graph(content: bytes) -> GraphSummary:
    """Count the nodes and parameters of a checked model file's graph.

    Raises:
        ModelFileError: the graph does not follow the wire format.

    Example:
        >>> from pathlib import Path
        >>> summarize_graph(Path("models/co2/co2.fp32.onnx").read_bytes()).opsets
        {'': 17}
    """
    try:
        model, graph = _model_and_graph(content)
        opsets = [read_message(content, field, schema.OPSET) for field in model.get("opset_import", ())]
        nodes = [read_message(content, field, schema.NODE) for field in graph.get("node", ())]
        tensors = [read_message(content, field, schema.TENSOR) for field in graph.get("initializer", ())]
        return GraphSummary(
            number(model, "ir_version"),
            {text(content, opset, "domain"): number(opset, "version") for opset in opsets},
            dict(Counter(text(content, node, "op_type") for node in nodes).most_common()),
            sum(math.prod(numbers(content, tensor, "dims")) for tensor in tensors),
        )
    except (DamagedProtobufError, UnicodeDecodeError) as error:
        raise ModelFileError(f"the graph is damaged: {error}") from error


def recurrent_width(content: bytes) -> int:
    """Return the hidden size of the widest recurrent layer of a checked model file; 0 if there is none.

    Raises:
        ModelFileError: the graph does not follow the wire format.
    """
    try:
        _, graph = _model_and_graph(content)
        nodes = [read_message(content, field, schema.NODE) for field in graph.get("node", ())]
        return max((_hidden_size(content, node) for node in nodes), default=0)
    except (DamagedProtobufError, UnicodeDecodeError) as error:
        raise ModelFileError(f"the graph is damaged: {error}") from error


def _model_and_graph(content: bytes) -> tuple[Message, Message]:
    model = read_message(content, whole(content), schema.MODEL)
    return model, read_message(content, model["graph"][0], schema.GRAPH)


def _hidden_size(content: bytes, node: Message) -> int:
    """Read the attribute `hidden_size` of a node, which recurrent layers alone have."""
    attributes = [read_message(content, field, schema.ATTRIBUTE) for field in node.get("attribute", ())]
    sizes = [number(found, "i") for found in attributes if text(content, found, "name") == "hidden_size"]
    return sizes[0] if sizes else 0
