"""LibriSpeech (Panayotov et al. 2015, https://www.openslr.org/12) and Mini LibriSpeech (https://www.openslr.org/31)."""

from collections.abc import Sequence
from pathlib import Path

from asr.data import manifest, traits
from asr.data.corpora import Corpus, check_split, collected, few, lines
from asr.data.manifest import Utterance
from asr.errors import DataError
from asr.progress import Progress, silent

PARTS = (
    "train-clean-100",
    "train-clean-360",
    "train-other-500",
    "dev-clean",
    "dev-other",
    "test-clean",
    "test-other",
    "train-clean-5",
    "dev-clean-2",
)
"""The parts that can be downloaded; the last two are Mini LibriSpeech."""

FOLDER = "LibriSpeech"
"""The top folder of the archives, which contains the parts."""


def read(source: Path, progress: Progress = silent) -> Corpus:
    """Read every part in `source` or `source/LibriSpeech`: PART/SPEAKER/CHAPTER/*.flac with their *.trans.txt.

    The split is the name of the part, the speaker the name of the folder. Genders are read from SPEAKERS.TXT next to
    the parts, if it exists. Audio files stay where they are.

    Raises:
        DataError: there is no part; a line is not an id and a transcript; an id occurs twice; the name of a part cannot
        be the name of a manifest. AudioError: an audio file cannot be read.
    """
    folders = [source.absolute(), source.absolute() / FOLDER]
    transcripts = [path for folder in folders for path in sorted(folder.glob("*/*/*/[!.]*.trans.txt"))]
    audio_files = {path for folder in folders for path in folder.glob("*/*/*/[!.]*.flac")}
    if not transcripts:
        raise DataError(
            f"{source} has no part of LibriSpeech, no PART/SPEAKER/CHAPTER/*.trans.txt; give the folder that contains "
            "parts such as train-clean-100, or download a part with --download."
        )
    seen: dict[str, str] = {}
    genders = _genders(folders)
    utterances = [utterance for path in transcripts for utterance in _chapter(path, seen, genders)]
    untranscribed = sorted(audio_files - {utterance.audio_filepath for utterance in utterances})
    notes = (
        [f"Skipped audio files without a transcript in a .trans.txt: {few(untranscribed)}."] if untranscribed else []
    )
    return collected(utterances, notes, progress)


def _genders(folders: Sequence[Path]) -> dict[str, str]:
    """Speaker -> F or M, from the lines `ID | SEX | SUBSET | MINUTES | NAME` of SPEAKERS.TXT."""
    tables = [path for folder in folders if (path := folder / "SPEAKERS.TXT").is_file()]
    cells = [[cell.strip() for cell in line.split("|")] for path in tables for _, line in lines(path)]
    return {row[0]: row[1] for row in cells if len(row) > 1 and not row[0].startswith(";")}


def _chapter(path: Path, seen: dict[str, str], genders: dict[str, str]) -> list[Utterance]:
    """The utterances of a `PART/SPEAKER/CHAPTER/*.trans.txt` with lines `ID TRANSCRIPT`; their durations are 0."""
    part, speaker = path.parts[-4:-2]
    check_split(part, str(path))
    speaker_traits = traits.of({"gender": genders.get(speaker)})
    utterances = []
    for where, line in lines(path):
        name, _, text = line.strip().partition(" ")
        if not text:
            raise DataError(f'{where}: "{line.strip()}" is not an id followed by a transcript.')
        manifest.claim_id(name, where, seen)
        audio_file = path.with_name(f"{name}.flac")
        utterances.append(Utterance(name, audio_file, 0.0, text, speaker=speaker, split=part, **speaker_traits))
    return utterances
