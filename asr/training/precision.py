"""Which arithmetic a machine is fast at: 32 bits, bfloat16 or 16-bit floats."""

import os
from dataclasses import dataclass

import torch

ONEDNN_WITH_BF16 = {"", "DEFAULT", "ALL", "AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX512_CORE_AMX", "AVX10_1_512"}
"""Values of ONEDNN_MAX_CPU_ISA with which oneDNN, which multiplies matrices on a CPU, may use bf16 instructions."""


@dataclass(frozen=True)
class Precision:
    """An arithmetic, and why it was chosen."""

    name: str
    """In Fabric's words: 32-true, bf16-mixed or 16-mixed."""
    reason: str
    warning: str = ""
    """What the user should know; empty for nothing."""


def choose(asked: str, device_type: str) -> Precision:
    """The precision that a recipe asks for, `auto` being the one that this machine is fast at.

    bf16 keeps the range of 32 bits and needs no loss scaling, but a processor without instructions for it takes about
    ten times as long as for 32 bits.

    Args:
        asked: `training.precision` of the recipe.
        device_type: "cpu" or "cuda".
    """
    if device_type == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        fast, reason = ("bf16-mixed", "this GPU has bf16") if has_bf16 else ("16-mixed", "this GPU has no bf16")
    elif cpu_has_bf16():
        fast, reason = "bf16-mixed", "this processor has instructions for bf16"
    else:
        fast, reason = "32-true", "this processor has no instructions for bf16"
    if asked == "auto":
        return Precision(fast, reason)
    if asked == "bf16-mixed" and fast != "bf16-mixed":
        return Precision(asked, "the recipe says so", f"bf16 will be slow, because {reason}: `auto` would take {fast}.")
    if asked == "16-mixed" and device_type == "cpu":
        return Precision(asked, "the recipe says so", f"fp16 is slow on a CPU: `auto` would take {fast}.")
    return Precision(asked, "the recipe says so")


def cpu_has_bf16() -> bool:
    """Whether the processor multiplies bf16 (AVX-512 bf16 or AMX), and torch and oneDNN may use that."""
    has = torch.cpu.get_capabilities()
    instructions = has.get("avx512_bf16", False) or has.get("amx_bf16", False)
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in ONEDNN_WITH_BF16
    return bool(instructions) and allowed and "512" in torch.backends.cpu.get_cpu_capability()
