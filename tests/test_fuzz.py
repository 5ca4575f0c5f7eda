"""A short run of `fuzz.py`; thousands more: `python tests/fuzz.py KIND --count 3000`."""

import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import fuzz
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory and time are set the Linux way")


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_changed_files_are_read_or_refused_in_a_sentence(kind: str) -> None:
    verdicts = list(fuzz.tried(kind, range(40)))
    assert [verdict for verdict in verdicts if verdict.outcome not in ("good", "refused")] == []
    assert [verdict.number for verdict in verdicts] == list(range(40))
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    assert outcomes["good"] >= 2 and outcomes["refused"] >= 10


def test_unchanged_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise all that is tried would end at the first check."""
    rows = b"".join(map(fuzz.manifest_row, range(4)))
    model = fuzz.model().SerializeToString()
    cases = [
        fuzz.Case("", {"m.onnx": model, "s.wav": fuzz.sound()}, ["transcribe", "-m", "m.onnx", "s.wav"]),
        fuzz.Case("", {"m.onnx": model}, ["info", "m.onnx", "--full"]),
        fuzz.Case("", {"l.bin": fuzz.ARPA, "t.txt": fuzz.TEXT}, ["lm", "perplexity", "l.bin", "t.txt"]),
        *(
            fuzz.Case(form, {"l.bin": data, "t.txt": fuzz.TEXT}, ["lm", "perplexity", "l.bin", "t.txt"])
            for form, data in fuzz.packed_models().items()
        ),
        fuzz.Case("", {"m.jsonl": rows, "s.wav": fuzz.sound()}, ["data", "stats", "m.jsonl"]),
        fuzz.Case("", {"r.yaml": fuzz.RECIPE}, ["recipe", "show", "r.yaml"]),
        fuzz.Case("", {"a.trn": fuzz.TRN, "b.trn": fuzz.TRN}, ["score", "a.trn", "b.trn"]),
        fuzz.Case("", {"a.trn": fuzz.TRN, "b.ctm": fuzz.CTM}, ["score", "a.trn", "b.ctm"]),
        fuzz.Case("", {"a.txt": fuzz.KALDI, "b.txt": fuzz.KALDI}, ["score", "a.txt", "b.txt"]),
    ]
    for number, case in enumerate(cases):
        folder = tmp_path / f"{number}" / "case"
        folder.mkdir(parents=True)
        monkeypatch.chdir(folder)
        assert fuzz.attempt(case, folder) == ("good", ""), case.command


def test_what_must_not_happen_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = fuzz.Case("", {"l.arpa": fuzz.ARPA}, ["lm", "pack", "l.arpa", "-o", "elsewhere.bin"])
    for number, (case, problem) in enumerate(
        [
            (elsewhere, "files outside the output folder were changed"),
            (fuzz.Case("", {"r.yaml": fuzz.RECIPE}, ["recipe", "show", "r.yaml"]), "ZeroDivisionError: division"),
        ]
    ):
        folder = tmp_path / f"{number}" / "case"
        folder.mkdir(parents=True)
        monkeypatch.chdir(folder)
        if number:
            monkeypatch.setattr("asr.recipe.files.load_recipe", lambda *_: 1 / 0)
        outcome, detail = fuzz.attempt(case, folder)
        assert outcome == "wrong" and problem in detail


def test_cases_are_reproducible() -> None:
    """Also in another process, with another hash seed."""
    script = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1]); from fuzz import KINDS, case\n"
        "print(hashlib.sha256(repr([case(kind, n) for kind in KINDS for n in range(40)]).encode()).hexdigest())"
    )
    command = [sys.executable, "-c", script, str(Path(fuzz.__file__).parent)]
    digest = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    here = repr([fuzz.case(kind, number) for kind in fuzz.KINDS for number in range(40)])
    assert digest == hashlib.sha256(here.encode()).hexdigest()
