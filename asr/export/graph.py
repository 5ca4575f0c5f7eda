"""A thin layer over onnx.helper that builds a graph from nested calls."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
"""The first opset with LayerNormalization, supported by runtimes since 2022."""
IR_VERSION = 8
"""The file format version that belongs to that opset."""


class Graph:
    """A graph under construction: nodes and weights in the order of insertion."""

    def __init__(self, prefix: str = "") -> None:
        """Generated names begin with `prefix`, so that two graphs can be merged."""
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._prefix = prefix

    def weight(self, value: np.ndarray | float | int | Sequence[int], name: str = "") -> str:
        """Store a constant and return its name, a generated one unless given.

        int8 is kept, other integers become int64, floats become float32.
        """
        array = np.asarray(value)
        if array.dtype != np.int8:
            array = array.astype(np.int64 if np.issubdtype(array.dtype, np.integer) else np.float32)
        name = name or f"{self._prefix}weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node with one output, named `output` if given, and return that output's name."""
        output = output or f"{self._prefix}{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f"{output}_node", **attributes))
        return output

    def ops(self, kind: str, *inputs: str, count: int, **attributes: Any) -> list[str]:
        """Append a node with several outputs and return their names; an input "" omits an optional input."""
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
        """Build and check the model; inputs and outputs are name -> (TensorProto type, shape)."""
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
