"""Broken audio files, read in another process: a file that crashes a decoder fails the test with its number.

Thousands more: `python tests/audio_corpus.py --count 5000`.
"""

import collections
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import audio_corpus
import pytest
from audio_corpus import case, try_all

from asr import audio
from asr.errors import AudioError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="memory and time limits are set the Unix way")

WHOLE = len(audio_corpus.originals())


def test_a_sample_of_the_corpus() -> None:
    verdicts = list(try_all(range(WHOLE + 180)))
    assert [verdict for verdict in verdicts if verdict.outcome not in ("good", "refused")] == []
    assert [verdict.number for verdict in verdicts] == list(range(WHOLE + 180))
    assert [verdict.kind for verdict in verdicts[:WHOLE] if verdict.outcome != "good"] == ["SDS/PCM_16"]
    seconds = {verdict.kind: verdict.audio_s for verdict in verdicts[:WHOLE]}
    odd = {kind for kind, audio_s in seconds.items() if not -0.02 < audio_s - audio_corpus.SECONDS < 0.1}
    assert odd == {"SDS/PCM_16", "XI/DPCM_16"}  # XI does not store its sample rate
    broken = collections.Counter(verdict.outcome for verdict in verdicts[WHOLE:])
    assert min(broken["good"], broken["refused"]) > 30
    kinds = {verdict.kind.partition(":")[0] for verdict in verdicts[WHOLE:]}
    assert len(kinds) > 80
    assert {"endless", "odd"} <= kinds


SETUP_OF_CODEBOOKS = 70
"""Offset in bytes after the signature of an Ogg Vorbis file's third header, well within the first codebooks."""


def test_vorbis_with_broken_codebooks() -> None:
    """libsndfile ignores errors in the third header, and crashed on seeking."""
    data = bytearray(audio_corpus.originals()["OGG/VORBIS"])
    data[data.index(b"\x05vorbis") + SETUP_OF_CODEBOOKS] ^= 0xFF
    script = (
        "import sys; from asr import audio; from asr.errors import AudioError\n"
        "data = sys.stdin.buffer.read()\n"
        "for segment in ({}, {'offset_s': 0.1}):\n"
        "    try: print(len(audio.load(data, 16000, **segment)))\n"
        "    except AudioError as error: print(error)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, input=audio_corpus.ogg(bytes(data)), capture_output=True, check=False)
    assert done.returncode == 0
    assert done.stdout.decode().splitlines() == 2 * [
        "the given bytes is damaged: none of its audio can be decoded; copy it again."
    ]


def test_opus_with_a_page_out_of_order() -> None:
    """libsndfile reads it, but seeks to the wrong position."""
    data = bytearray(audio_corpus.originals()["OGG/OPUS"])
    data[data.index(b"OggS", 4) + 18] ^= 1
    broken = audio_corpus.ogg(bytes(data))
    assert len(audio.load(broken, audio_corpus.RATE)) > 4000
    with pytest.raises(AudioError, match=r"is damaged: seeking to 0\.100 s fails; copy it again"):
        audio.load(broken, audio_corpus.RATE, offset_s=0.1, duration_s=0.1)


def test_the_corpus_is_reproducible() -> None:
    """Also in another process, with another hash seed, at another time."""
    script = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1]); from audio_corpus import case\n"
        "print(hashlib.sha256(b''.join(case(n).data + case(n).tail for n in range(300))).hexdigest())"
    )
    command = [sys.executable, "-c", script, str(Path(audio_corpus.__file__).parent)]
    digest = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert digest == hashlib.sha256(b"".join(case(n).data + case(n).tail for n in range(300))).hexdigest()


GOOD = (
    "import sys, json\n"
    "def good(n): print(json.dumps({'number': int(n), 'kind': 'x', 'outcome': 'good'}), flush=True)\n"
    "for n in sys.argv[1:]:\n"
    "    if n == '3': FAULT\n"
    "    good(n)\n"
)


@pytest.mark.parametrize(
    ("fault", "outcome", "detail"),
    [
        ("import os; os.abort()", "crashed", "exit status -6"),
        ("import ctypes; ctypes.string_at(0)", "crashed", "exit status -11"),
        ("sys.exit('no memory')", "crashed", "exit status 1; no memory"),
        (
            "import signal; signal.setitimer(signal.ITIMER_PROF, 0.1); all(iter(lambda: 1, 0))",
            "hung",
            "exit status -27",
        ),
        ("import time; time.sleep(99)", "hung", "no response within 4 s"),
    ],
)
def test_a_file_that_ends_the_process_is_identified(
    fault: str, outcome: str, detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio_corpus, "WAIT_LIMIT_S", 4.0)
    verdicts = list(try_all(range(6), [sys.executable, "-c", GOOD.replace("FAULT", fault)]))
    assert [verdict.number for verdict in verdicts] == list(range(6))
    assert [verdict.outcome for verdict in verdicts] == ["good"] * 3 + [outcome] + ["good"] * 2
    assert verdicts[3].detail.startswith(detail)


def test_a_process_that_fails_on_exit_is_detected() -> None:
    verdicts = list(try_all(range(3), [sys.executable, "-c", GOOD.replace("FAULT", "pass") + "import os; os.abort()"]))
    assert [verdict.outcome for verdict in verdicts] == ["good"] * 3 + ["crashed"]


FAULTS = {
    "none": "return np.zeros(9, np.float32)",
    "KeyError": "raise KeyError('x')",
    "no clear sentence": "raise AudioError('the given stream has\\ntwo lines.')",
    "no clear sentence: 'Something": "raise AudioError('Something went wrong.')",
    "no finite waveform": "return np.full(9, np.nan, np.float32)",
    "no finite waveform: float64": "return np.zeros(9)",
    "no finite waveform: float32 (0,)": "return np.zeros(0, np.float32)",
    "20 s of sound out of 1 bytes": "return np.ones(320_000, np.float32)",
    "printed b'Error A : 00": "os.write(1, b'Error A : 00'); return np.zeros(9, np.float32)",
    "in a callback": "ffi = FFI(); ffi.callback('int()', lambda: 1 // 0)(); return np.zeros(9, np.float32)",
    "MB of memory": "waste = np.ones(2 * 10**7); return np.zeros(9, np.float32)",
    "MemoryError": "waste = np.ones(10**9); return np.zeros(9, np.float32)",
}


def test_forbidden_outcomes_are_detected() -> None:
    functions = "".join(f"def load{number}(*_, **__): {fault}\n" for number, fault in enumerate(FAULTS.values()))
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "import numpy as np, audio_corpus; from asr import audio; from asr.errors import AudioError\n"
        f"from cffi import FFI\n{functions}"
        "def attempt(case, folder, attempt=audio_corpus.attempt):\n"
        "    audio.load = globals()[f'load{case.number}']\n"
        "    return attempt(case, folder)\n"
        "audio_corpus.attempt, audio_corpus.MAX_PEAK_MB = attempt, 200\n"
        "audio_corpus.case = lambda number: audio_corpus.Case(number, '', b'x')\n"
        f"audio_corpus.work(range({len(FAULTS)}))"
    )
    command = [sys.executable, "-c", script, str(Path(audio_corpus.__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [verdict["outcome"] for verdict in verdicts] == ["good"] + ["wrong"] * (len(FAULTS) - 1)
    for verdict, detail in zip(verdicts[1:], list(FAULTS)[1:], strict=True):
        assert detail in verdict["detail"]
