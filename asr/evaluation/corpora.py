"""The manifests of one evaluation: one named corpus per manifest, with unique utterance ids."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asr.data import manifest
from asr.data.manifest import Utterance
from asr.errors import DataError


@dataclass(frozen=True, slots=True)
class Corpus:
    """The utterances of one manifest."""

    name: str
    path: Path
    """The path of the manifest as the user gave it."""
    utterances: tuple[Utterance, ...]


def read(paths: Sequence[Path]) -> tuple[Corpus, ...]:
    """Read manifests that are evaluated together.

    A corpus is named after its folder and file, `an4/test` for data/an4/test.jsonl, or by the whole path if two names
    would be equal. An id that occurs in several manifests is prefixed with its corpus: `an4/test/an391-mjwl-b`.

    Raises:
        DataError: a manifest is malformed, or given twice.
    """
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise DataError(f"{path} is given twice, but each utterance must count once: give it once.")
        seen.add(path.resolve())
    names = [f"{path.resolve().parent.name}/{path.stem}".removeprefix("/") for path in paths]
    manifests = [manifest.read(path) for path in paths]
    name_counts = Counter(names)
    id_counts = Counter(utterance.id for utterances in manifests for utterance in utterances)
    corpora = []
    for path, name, utterances in zip(paths, names, manifests, strict=True):
        unique = str(path) if name_counts[name] > 1 else name
        renamed = (replace(u, id=f"{unique}/{u.id}") if id_counts[u.id] > 1 else u for u in utterances)
        corpora.append(Corpus(unique, path, tuple(renamed)))
    return tuple(corpora)
