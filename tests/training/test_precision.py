"""bf16 only where a machine has instructions for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from asr.training import precision


def test_auto_takes_what_the_processor_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for has, name in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(precision, "cpu_has_bf16", lambda has=has: has)
        chosen = precision.choose("auto", "cpu")
        assert chosen.name == name
        assert "instructions for bf16" in chosen.reason
        assert not chosen.warning


def test_a_recipe_that_insists_gets_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)
    chosen = precision.choose("bf16-mixed", "cpu")
    assert chosen.name == "bf16-mixed"
    assert "slow" in chosen.warning and "32-true" in chosen.warning
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)
    assert not precision.choose("bf16-mixed", "cpu").warning
    assert not precision.choose("32-true", "cpu").warning


@pytest.mark.parametrize(("has", "name"), [(True, "bf16-mixed"), (False, "16-mixed")])
def test_a_gpu_without_bf16_takes_fp16(has: bool, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has)
    assert precision.choose("auto", "cuda").name == name


@pytest.mark.parametrize("masked", [{"ATEN_CPU_CAPABILITY": "avx2"}, {"ONEDNN_MAX_CPU_ISA": "AVX2"}])
def test_masked_instructions_are_not_used(masked: dict[str, str]) -> None:
    code = "from asr.training import precision; print(precision.choose('auto', 'cpu').name)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | masked, capture_output=True, text=True, check=True
    )
    assert done.stdout == "32-true\n"


def test_it_says_what_the_kernel_says() -> None:
    flags = Path("/proc/cpuinfo")
    if not flags.exists():
        pytest.skip("only Linux lists the processor's instructions in a file")
    words = flags.read_text().split()
    assert precision.cpu_has_bf16() == ("avx512_bf16" in words or "amx_bf16" in words)
