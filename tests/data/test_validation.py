"""Validation: a corpus with every fault, each next to a valid counterpart; exactly the faults are found."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.data.manifest import Utterance
from asr.data.validation import KINDS, Entry, Finding, validate
from asr.errors import DataError

RATE = 16_000
REAL = Path(__file__).parents[2] / "../shared/data"


def noise(duration_s: float, seed: int, dbfs: float = -20.0) -> np.ndarray:
    """Noise of a given RMS level; seeds give different samples."""
    samples = np.random.default_rng(seed).standard_normal(round(duration_s * RATE))
    samples -= samples.mean()
    return samples / samples.std() * 10 ** (dbfs / 20)


@dataclass
class Planted:
    """Manifests under construction, and their expected findings."""

    folder: Path
    entries: list[Entry] = field(default_factory=list)
    expected: set[tuple[str, str]] = field(default_factory=set)

    def write(self, name: str, samples: np.ndarray, subtype: str = "FLOAT") -> Path:
        soundfile.write(self.folder / name, samples, RATE, subtype=subtype)
        return self.folder / name

    def add(self, name: str, *kinds: str, manifest: str = "train", path: Path | None = None, **fields) -> None:
        """An utterance (one second of noise unless a path is given) and the kinds of its findings."""
        if path is None:
            path = self.write(f"{name}-{len(self.entries)}.wav", noise(1.0, len(self.entries)))
        values = {"duration": 1.0, "text": "hello", **fields}
        self.entries.append(Entry(self.folder / f"{manifest}.jsonl", Utterance(name, path, **values)))
        self.expected |= {(kind, name) for kind in kinds}


@pytest.fixture
def planted(tmp_path) -> Planted:
    corpus = Planted(tmp_path)
    add, write = corpus.add, corpus.write
    add("good")
    add("good, two channels", path=write("two.wav", np.stack([noise(1, 901), noise(1, 902)], axis=1)))

    (tmp_path / "notes.wav").write_text("not audio")
    whole = write("whole.wav", noise(1, 903), "PCM_16").read_bytes()
    (tmp_path / "half.wav").write_bytes(whole[: len(whole) // 2])
    add("no file", "unreadable", path=tmp_path / "none.wav")
    add("no audio", "unreadable", path=tmp_path / "notes.wav")
    add("cut off", "unreadable", path=tmp_path / "half.wav")
    add("no samples", "unreadable", path=write("zero.wav", np.zeros(0)))
    add("not a number", "unreadable", path=write("nan.wav", np.array([0.1, np.nan] * 8000)))

    add("too long in the manifest", "duration", duration=1.15)
    add("too short in the manifest", "duration", duration=0.85)
    add("nearly right", duration=1.08)

    long = write("long.wav", noise(3, 904))
    add("stretch", path=long, offset=0.5, duration=1.0)
    add("stretch from 0", path=long, duration=0.5)
    add("stretch to just beyond the end", path=long, offset=2.5, duration=0.58)
    add("stretch beyond the end", "duration", path=long, offset=2.0, duration=1.2)
    add("stretch after the end", "duration", path=long, offset=4.0, duration=1.0)

    add("nothing recorded", "silent", path=write("zeros.wav", np.zeros(RATE)))
    add("muted, with an offset", "silent", path=write("muted.wav", 0.1 + noise(1, 905, -66)))
    click = noise(1, 906, -80)
    click[5000] = 0.1
    add("muted, with a click", "silent", path=write("click.wav", click))
    add("quiet", path=write("quiet.wav", noise(1, 907, -55)))

    add("overdriven", "clipped", path=write("over.wav", np.clip(noise(1, 908, -6), -1, 1), "PCM_16"))
    loud = noise(1, 909)
    add("as loud as can be", path=write("loud.wav", loud / np.abs(loud).max(), "PCM_16"))

    # 13 windows, thus 4 frames, carry "a", "a" and "b" with a blank in between; one sample less makes it 12 and 3.
    add("just long enough", path=write("13.wav", noise(2320 / RATE, 910)), duration=0.145, text="aab")
    add("just too short", "too-short", path=write("12.wav", noise(2319 / RATE, 911)), duration=0.145, text="aab")
    add("short without a repetition", path=write("3.wav", noise(2319 / RATE, 912)), duration=0.145, text="aba")
    add("signs take no frames", path=write("signs.wav", noise(2319 / RATE, 915)), duration=0.145, text="a, b!")
    add("stretch too short", "too-short", path=long, offset=1.0, duration=0.1, text="hello world")

    add("no text", "empty", text="")
    add("only signs", "empty", text=" ... \u2013 ")
    add("other characters", "alphabet", text="caf\u00e9 42")
    add("characters that normalisation mends", text="\u201cIt\u2019s  FINE\u201d \u2013 \ufb01nally!")

    add("twice", speaker="carl", path=write("twice.wav", noise(1, 914)))
    add("twice", "duplicate-id", manifest="more", path=tmp_path / "twice.wav", speaker="carl", split="train")
    take = (1000 * noise(1, 913)).astype(np.int16)
    add("take", path=write("take.wav", take, "PCM_16"))
    add("the same take", "duplicate-audio", path=write("take.flac", take, "PCM_16"))
    add("the same take, elsewhere", "duplicate-audio", manifest="more", split="train", path=tmp_path / "take.wav")

    add("anna", speaker="anna", split="train")
    add("anna in train again", speaker="anna", split="train")
    add("anna in dev", "shared-speaker", manifest="dev", speaker="anna", split="dev")
    add("anna in dev again", manifest="dev", speaker="anna", split="dev")
    add("anna in test", "shared-speaker", manifest="test", speaker="anna")
    add("ben", manifest="train-clean-5", speaker="ben", split="train-clean-5")
    add("ben again", manifest="train-clean-100", speaker="ben")
    return corpus


def ids_and_kinds(findings: list[Finding]) -> set[tuple[str, str]]:
    pairs = [(finding.kind, finding.id) for finding in findings]
    assert len(set(pairs)) == len(pairs)
    return set(pairs)


def test_exactly_the_planted_faults_are_found(planted):
    assert ids_and_kinds(validate(planted.entries)) == planted.expected
    assert {kind for kind, _ in planted.expected} == set(KINDS)


def test_the_result_does_not_depend_on_the_number_of_workers(planted, monkeypatch):
    monkeypatch.setattr("asr.data.validation.CHUNK", 3)
    findings = validate(planted.entries, workers=1)
    assert validate(planted.entries, workers=2) == findings
    assert validate(planted.entries, workers=7) == findings


def test_findings_are_sorted_by_kind_then_by_manifest(planted):
    # From the last to the first, for the faults above are planted kind by kind.
    entries = planted.entries[::-1]
    order = [entry.utterance.id for entry in entries]
    keys = [(list(KINDS).index(f.kind), order.index(f.id)) for f in validate(entries)]
    assert keys == sorted(keys)


def test_values_of_findings(planted):
    values = {(f.kind, f.id): (f.value, f.manifest) for f in validate(planted.entries)}
    train, dev, more, folder = (str(planted.folder / name) for name in ("train.jsonl", "dev.jsonl", "more.jsonl", ""))
    assert values["unreadable", "no file"] == (
        f"'{folder}/none.wav' does not exist: give the path of an audio file.",
        train,
    )
    assert values["duration", "too long in the manifest"][0] == "1.15 s in the manifest, 1.00 s in the file"
    assert values["duration", "stretch beyond the end"][0] == "from 2.00 to 3.20 s in a file of 3.00 s"
    assert values["silent", "nothing recorded"][0] == "-inf dBFS"
    assert values["silent", "muted, with an offset"][0] == "-66 dBFS"
    # Gaussian noise at -6 dBFS: 2 (1 - Phi(0.99 / 0.501)) = 4.8 %, give or take 0.2.
    assert values["clipped", "overdriven"][0] == "4.9 % of the samples"
    assert values["too-short", "just too short"][0] == "3 frames, 4 needed"
    assert values["too-short", "stretch too short"][0] == "2 frames, 12 needed"
    assert values["empty", "only signs"][0] == "' ... \u2013 '"
    assert values["alphabet", "other characters"][0] == "'2' (U+0032), '4' (U+0034), '\u00e9' (U+00E9)"
    assert values["duplicate-id", "twice"] == (f"also in {train}", more)
    assert values["duplicate-audio", "the same take"] == (f"same samples as take in {train}", train)
    assert values["shared-speaker", "anna in dev"] == (f"anna in dev, and in train ({train})", dev)


@pytest.mark.parametrize(("time_reduction", "needed"), [(2, 7), (4, 4), (8, 2)])
def test_too_short_depends_on_the_time_reduction(tmp_path, time_reduction, needed):
    """13 windows are 7, 4 or 2 frames."""
    corpus = Planted(tmp_path)
    path = corpus.write("13.wav", noise(2320 / RATE, 0))
    corpus.add("fits", path=path, duration=0.145, text="abcdefgh"[:needed])
    corpus.add("fits not", "too-short", path=path, duration=0.145, text="abcdefgh"[: needed + 1], manifest="other")
    findings = validate(corpus.entries, time_reduction=time_reduction)
    assert ids_and_kinds(findings) == corpus.expected | {("duplicate-audio", "fits not")}


def test_another_alphabet(planted):
    entries = [entry for entry in planted.entries if entry.utterance.id in ("good", "other characters")]
    assert validate(entries, " abcdefghijklmnopqrstuvwxyz\u00e90123456789") == []
    assert ids_and_kinds(validate(entries, " abcdef\u00e9")) == {("alphabet", "good"), ("alphabet", "other characters")}
    with pytest.raises(DataError, match=r"The alphabet 'abc' lacks the space"):
        validate(entries, "abc")


def test_progress_is_reported_for_every_utterance_in_order(planted):
    reported: list[tuple[float, float | None]] = []
    validate(planted.entries, workers=2, progress=lambda task, done, total: reported.append((done, total)))
    total_s = sum(entry.utterance.duration for entry in planted.entries)
    assert len(reported) == len(planted.entries)
    assert reported == sorted(reported)
    assert reported[-1] == pytest.approx((total_s, total_s))


@pytest.mark.parametrize("gain_db", [0, 6, 12])
def test_real_speech_clips_when_amplified_beyond_full_scale(tmp_path, gain_db):
    path = Path(__file__).parents[2] / "examples" / "enter.wav"
    samples, rate = soundfile.read(path)
    raised = np.clip(samples / np.abs(samples).max() * 10 ** (gain_db / 20), -1, 1)
    soundfile.write(tmp_path / "raised.wav", raised, rate, subtype="PCM_16")
    entry = Entry(tmp_path / "a.jsonl", Utterance("a", tmp_path / "raised.wav", len(samples) / rate, "hello"))
    assert ids_and_kinds(validate([entry])) == ({("clipped", "a")} if gain_db else set())
