"""A few lines over onnx.helper, so that a graph can be written as nested calls."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
"""The first with LayerNormalization; runtimes since 2022 have it."""
IR_VERSION = 8
"""The file format that belongs to that opset."""


class Graph:
    """Nodes and weights in the order in which they were added."""

    def __init__(self, prefix: str = "") -> None:
        """All names that the graph makes up begin with `prefix`, so that two graphs can be joined."""
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._prefix = prefix

    def weight(self, value: np.ndarray | float | int | Sequence[int]) -> str:
        """Store a constant and return its name. int8 stays, other whole numbers become int64, the rest float32."""
        array = np.asarray(value)
        if array.dtype != np.int8:
            array = array.astype(np.int64 if np.issubdtype(array.dtype, np.integer) else np.float32)
        name = f"{self._prefix}weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node with one output, named `output` if given, and return that output's name."""
        output = output or f"{self._prefix}{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f"{output}_node", **attributes))
        return output

    def ops(self, kind: str, *inputs: str, count: int, **attributes: Any) -> list[str]:
        """Append a node with several outputs, and return their names; an input "" is one that is left out."""
        name = f"{self._prefix}{kind.lower()}_{len(self.nodes)}"
        outputs = [f"{name}_{number}" for number in range(count)]
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=f"{name}_node", **attributes))
        return outputs

    def model(
        self,
        inputs: Mapping[str, tuple[int, Sequence[str | int]]],
        outputs: Mapping[str, tuple[int, Sequence[str | int]]],
        metadata: Mapping[str, str],
    ) -> onnx.ModelProto:
        """The finished model; inputs and outputs are name -> (TensorProto type, shape)."""
        graph = helper.make_graph(
            self.nodes,
            "asr",
            [helper.make_tensor_value_info(name, *spec) for name, spec in inputs.items()],
            [helper.make_tensor_value_info(name, *spec) for name, spec in outputs.items()],
            self.weights,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="asr"
        )
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        return model


FLOAT, INT64, INT32, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL
