"""Metadata is replaced and the graph unchanged, compared with the package onnx."""

from pathlib import Path

import onnx
import pytest

from asr.errors import ModelError
from asr.models import rewrite

MODEL = Path(__file__).resolve().parents[2] / "asr" / "models" / "an4.onnx"


def test_only_the_metadata_changes(tmp_path: Path) -> None:
    target = tmp_path / "new.onnx"
    rewrite.rewrite(MODEL, target, {"name": "ünlike", "empty": ""})
    before, after = onnx.load(MODEL), onnx.load(target)
    assert {pair.key: pair.value for pair in after.metadata_props} == {"name": "ünlike", "empty": ""}
    del before.metadata_props[:], after.metadata_props[:]
    assert before == after


def test_a_file_may_be_rewritten_in_place(tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    target.write_bytes(MODEL.read_bytes())
    rewrite.rewrite(target, target, {"a": "1"})
    rewrite.rewrite(target, target, {"b": "2"})
    assert [(pair.key, pair.value) for pair in onnx.load(target).metadata_props] == [("b", "2")]
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_damaged_file_is_reported_and_left_unchanged(tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    target.write_bytes(content := MODEL.read_bytes()[:100_000])
    with pytest.raises(ModelError, match="is not a valid ONNX file"):
        rewrite.rewrite(target, target, {})
    assert target.read_bytes() == content
