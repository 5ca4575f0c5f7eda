"""NIST's SCTK as an independent reference; tests that use it are skipped if it is not installed."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from asr.scoring.alignment import Kind, Pair

needs_sctk = pytest.mark.skipif(shutil.which("sctk") is None, reason="SCTK is not installed: apt-get install sctk")

KINDS: dict[str, Kind] = {"C": "hit", "S": "substitution", "D": "deletion", "I": "insertion"}
Text = Sequence[str]


def sclite(references: Sequence[Text], hypotheses: Sequence[Text], folder: Path, name: str = "out") -> Path:
    """Align with sclite, case-sensitive, to an SGML file. Words have no quotes, colons, commas or semicolons."""
    trn = {"ref": references, name: hypotheses}
    for side, texts in trn.items():
        lines = [" ".join(words) + f" (speaker{number % 7}-{number})\n" for number, words in enumerate(texts)]
        (folder / f"{side}.trn").write_text("".join(lines), encoding="utf-8")
    command = ["sctk", "sclite", "-r", f"{folder / 'ref.trn'}", "trn", "-h", f"{folder / name}.trn", "trn"]
    command += ["-i", "rm", "-s", "-f", "0", "-o", "sgml", "-O", str(folder), "-n", name]
    subprocess.run(command, check=True, capture_output=True)
    return folder / f"{name}.sgml"


def alignments(sgml: Path) -> list[tuple[Pair, ...]]:
    """The alignments of sclite, in the order of the utterances."""
    pairs: dict[int, tuple[Pair, ...]] = {}
    text = sgml.read_text(encoding="utf-8")
    for number, body in re.findall(r'<PATH id="\(speaker\d-(\d+)\)"[^>]*>\n(.*?)</PATH>', text, flags=re.DOTALL):
        columns = re.findall(r'([CSDI]),(?:"([^"]*)")?,(?:"([^"]*)")?', body)
        pairs[int(number)] = tuple(
            Pair(KINDS[kind], reference or None, hypothesis or None) for kind, reference, hypothesis in columns
        )
    return [pairs[number] for number in range(len(pairs))]


def mapsswe(a: Path, b: Path) -> tuple[int, float, float, float, bool]:
    """The output of sc_stats: segments, mean, standard deviation, Z, and whether the systems differ."""
    command = ["sctk", "sc_stats", "-p", "-t", "mapsswe", "-v", "-n", "-", "-e", "test"]
    both = a.read_text(encoding="utf-8") + b.read_text(encoding="utf-8")
    output = subprocess.run(command, input=both, check=True, capture_output=True, text=True).stdout
    line = r"# segs: (\d+)\).*\(mean: (\S+)\) \(std dev: (\S+)\) \(Z Stat: (\S+)\) \(Stat Diff: (\w+)\)"
    match = re.search(line, output)
    assert match is not None, output
    segments, mean, deviation, z, verdict = match.groups()
    return int(segments), float(mean), float(deviation), float(z), verdict == "Yes"
