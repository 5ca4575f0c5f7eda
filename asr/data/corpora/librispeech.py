"""LibriSpeech (Panayotov et al. 2015) and Mini LibriSpeech, as https://www.openslr.org/12 and /31 have them."""

import tarfile
import zlib
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path

from asr.data import manifest, traits
from asr.data.corpora import Corpus, check_split, few, lines, measured
from asr.data.manifest import Utterance
from asr.errors import DataError
from asr.progress import Progress, silent, tracked

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
"""What can be fetched; the last two are Mini LibriSpeech."""

FOLDER = "LibriSpeech"
"""The folder in the archives, with the parts in it."""

URL = "https://www.openslr.org/resources"
"""lhotse's own address but for the encryption: OpenSLR's archives are not checked against a checksum."""


def read(source: Path, progress: Progress = silent) -> Corpus:
    """Read every part in `source` or `source/LibriSpeech`: PART/SPEAKER/CHAPTER/*.flac with their *.trans.txt.

    The split is the part's name, the speaker its folder's. Genders are taken from SPEAKERS.TXT beside the parts, where
    it is there. Sound files stay where they are.

    Raises:
        DataError: there is no part; a line is not an id and a transcript; an id is there twice; a transcript has no
            sound file beside it; a part's name cannot be a manifest's.
        AudioError: a sound file cannot be read.
    """
    folders = [source.absolute(), source.absolute() / FOLDER]
    transcripts = [path for folder in folders for path in sorted(folder.glob("*/*/*/*.trans.txt"))]
    sounds = {path for folder in folders for path in folder.glob("*/*/*/*.flac")}
    if not transcripts:
        raise DataError(
            f"{source} has no part of LibriSpeech, no PART/SPEAKER/CHAPTER/*.trans.txt; give the folder that holds "
            "train-clean-100 and the like, or fetch a part with --download."
        )
    seen: dict[str, str] = {}
    genders = _genders(folders)
    utterances = [utterance for path in transcripts for utterance in _chapter(path, seen, genders)]
    if missing := [utterance.audio_filepath for utterance in utterances if utterance.audio_filepath not in sounds]:
        raise DataError(
            f"{source} has transcripts without a sound file beside them: {few(missing)}; "
            "add the files, take out the lines, or fetch the part again."
        )
    untold = sorted(sounds - {utterance.audio_filepath for utterance in utterances})
    notes = [f"Left out, for no .trans.txt beside them has their transcript: {few(untold)}."] if untold else []
    return Corpus([measured(utterance) for utterance in tracked(utterances, "measuring", progress)], notes)


def _genders(folders: Sequence[Path]) -> dict[str, str]:
    """Speaker -> F or M, from the lines `ID | SEX | SUBSET | MINUTES | NAME` of SPEAKERS.TXT."""
    tables = [path for folder in folders if (path := folder / "SPEAKERS.TXT").is_file()]
    cells = [[cell.strip() for cell in line.split("|")] for path in tables for _, line in lines(path)]
    return {row[0]: row[1] for row in cells if len(row) > 1 and not row[0].startswith(";")}


def _chapter(path: Path, seen: dict[str, str], genders: dict[str, str]) -> list[Utterance]:
    """The utterances of a `PART/SPEAKER/CHAPTER/*.trans.txt`, their durations 0; its lines are `ID TRANSCRIPT`."""
    part, speaker = path.parts[-4:-2]
    check_split(part, str(path))
    told = traits.of({"gender": genders.get(speaker)})
    utterances = []
    for where, line in lines(path):
        name, _, text = line.strip().partition(" ")
        if not text:
            raise DataError(f'{where}: "{line.strip()}" is not an id followed by a transcript.')
        manifest.claim_id(name, where, seen)
        sound = path.with_name(f"{name}.flac")
        utterances.append(Utterance(name, sound, 0.0, text, speaker=speaker, split=part, **told))
    return utterances


def download(source: Path, parts: Sequence[str]) -> None:
    """Fetch those of the parts that are not there, into `source/LibriSpeech`, or `source` where that is its name.

    lhotse (extra `train`) does it: PART.tar.gz is fetched to beside the folder LibriSpeech, from where it stopped if it
    was broken off; is unpacked, which checks gzip's checksums; and stays there. `LibriSpeech/PART/.completed` then
    marks the part as whole. lhotse deletes a part without that mark before it unpacks, so that a part of other
    origin, which has neither mark nor archive, is never handed to it.

    Raises:
        DataError: a part cannot be fetched or unpacked.
        ModuleNotFoundError: a part has to be fetched, and the extra is not installed.
    """
    target = source.absolute().parent if source.absolute().name == FOLDER else source

    for part in parts:
        folder, archive = target / FOLDER / part, target / f"{part}.tar.gz"
        is_broken_off = archive.exists() and not (folder / ".completed").exists()
        if not is_broken_off and (folder.is_dir() or (source / part).is_dir()):
            continue
        from lhotse.recipes.librispeech import download_librispeech

        try:
            download_librispeech(target, part, base_url=URL)
        except (OSError, HTTPException, EOFError, tarfile.TarError, zlib.error) as error:
            raise DataError(
                f"{part} cannot be fetched into {target} ({error}); run the command again, and it goes on where it "
                f"stopped, or delete {archive} to start anew."
            ) from error
