"""Replace the metadata of an .onnx file, leaving its graph unchanged, without the package `onnx`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asr.errors import ModelError
from asr.files import replacing

METADATA_PROPS = 14
"""Number of the `ModelProto` field with the metadata, pairs of strings (onnx.proto)."""


def rewrite(source: Path, target: Path, metadata: Mapping[str, str]) -> None:
    """Write a copy of an ONNX file with the given metadata instead of its own; `target` may be `source`.

    Raises:
        ModelError: the file is damaged.
    """
    content = with_metadata(source, metadata)
    with replacing(target) as file:
        file.write(content)


def with_metadata(source: Path, metadata: Mapping[str, str]) -> bytes:
    """The content of an ONNX file with the given metadata instead of its own.

    Raises:
        ModelError: the file is damaged.
    """
    from google.protobuf.message import DecodeError

    model = _metadata_message()()
    try:
        model.ParseFromString(source.read_bytes())
    except DecodeError as error:
        raise ModelError(f"Model '{source}' is not a valid ONNX file ({error}): export or copy it again.") from None
    del model.metadata_props[:]
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    return model.SerializeToString()


def _metadata_message() -> Any:
    """Define a message with only the metadata field; protobuf preserves unknown fields on writing."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="asr/metadata.proto", package="asr", syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    pair = file.message_type.add(name="Pair")
    for number, name in enumerate(("key", "value"), start=1):
        pair.field.add(name=name, number=number, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
    model = file.message_type.add(name="Model")
    model.field.add(
        name="metadata_props",
        number=METADATA_PROPS,
        type=kinds.TYPE_MESSAGE,
        type_name=".asr.Pair",
        label=kinds.LABEL_REPEATED,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("asr.Model"))
