"""Read the nodes and constants of an .onnx file without the package `onnx`, which only the extra `train` installs."""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asr.errors import ModelError

MESSAGES: Mapping[str, Mapping[int, tuple[str, str]]] = {
    "Model": {7: ("graph", "Graph"), 14: ("metadata_props", "Pair[]")},
    "Pair": {1: ("key", "string"), 2: ("value", "string")},
    "Graph": {1: ("node", "Node[]"), 5: ("initializer", "Tensor[]")},
    "Node": {1: ("input", "string[]"), 2: ("output", "string[]"), 4: ("op_type", "string"), 5: ("attribute", "Attr[]")},
    "Attr": {1: ("name", "string"), 2: ("f", "float"), 3: ("i", "int64"), 8: ("ints", "int64[]")},
    "Tensor": {1: ("dims", "int64[]"), 2: ("data_type", "int32"), 8: ("name", "string"), 9: ("raw_data", "bytes")},
}
"""The messages of onnx.proto that are read here, each with the numbers, names and types of its fields."""

DTYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_, 11: np.float64}
"""NumPy's types by the numbers of onnx.proto's."""


@dataclass(frozen=True)
class Graph:
    """What a file contains."""

    nodes: Sequence[Any]
    """Each with `op_type`, `input`, `output` and `attribute`, as in the package `onnx`."""
    constants: Mapping[str, np.ndarray]
    metadata: Mapping[str, str]


def read(path: Path) -> Graph:
    """Read a file.

    Raises:
        ModelError: it cannot be read, is not ONNX, or keeps its constants in a form that `asr export` does not write.
    """
    from google.protobuf.message import DecodeError

    model = _message_class()()
    try:
        model.ParseFromString(path.read_bytes())
    except OSError as error:
        raise ModelError(f"Model '{path}' cannot be read ({error.strerror}): give the path of an .onnx file.") from None
    except DecodeError:
        raise ModelError(f"Model '{path}' is not a valid .onnx file: restore it.") from None
    try:
        constants = {tensor.name: _array(tensor) for tensor in model.graph.initializer}
    except (KeyError, ValueError):
        raise ModelError(
            f"Model '{path}' keeps its weights in a form that `asr export` does not write: export it again."
        ) from None
    return Graph(model.graph.node, constants, {pair.key: pair.value for pair in model.metadata_props})


def attribute(node: Any, name: str, default: Any) -> Any:
    """The value of a node's attribute, of the type of `default`: a float, an integer, or a list of integers."""
    for entry in node.attribute:
        if entry.name == name:
            return list(entry.ints) if isinstance(default, list) else entry.f if isinstance(default, float) else entry.i
    return default


def _array(tensor: Any) -> np.ndarray:
    """Raises KeyError or ValueError for a tensor of another type or size than it states."""
    dtype = np.dtype(DTYPES[tensor.data_type]).newbyteorder("<")
    if min(tensor.dims, default=0) < 0 or len(tensor.raw_data) != math.prod(tensor.dims) * dtype.itemsize:
        raise ValueError(tensor.name)
    return np.frombuffer(tensor.raw_data, dtype).reshape(tensor.dims)


@functools.cache
def _message_class() -> Any:
    """Define the messages of `MESSAGES`; protobuf skips other fields."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    scalars = {name: getattr(kinds, f"TYPE_{name.upper()}") for name in ("string", "float", "int32", "int64", "bytes")}
    file = descriptor_pb2.FileDescriptorProto(name="asr/graph.proto", package="asr.graph", syntax="proto2")
    for message, fields in MESSAGES.items():
        entry = file.message_type.add(name=message)
        for number, (name, kind) in fields.items():
            of = kind.removesuffix("[]")
            label = kinds.LABEL_REPEATED if kind.endswith("[]") else kinds.LABEL_OPTIONAL
            if of in scalars:
                entry.field.add(name=name, number=number, type=scalars[of], label=label)
            else:
                entry.field.add(
                    name=name, number=number, type=kinds.TYPE_MESSAGE, type_name=f".asr.graph.{of}", label=label
                )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("asr.graph.Model"))
