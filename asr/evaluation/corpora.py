"""The manifests of one evaluation: each a corpus with a name, all ids different."""

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
    """Of the manifest, as it was given."""
    utterances: tuple[Utterance, ...]


def read(paths: Sequence[Path]) -> tuple[Corpus, ...]:
    """Read manifests to be evaluated together.

    A corpus is called by its folder and file, `an4/test` for data/an4/test.jsonl; by the whole path where two would be
    called the same. An id that stands in several manifests gets its corpus in front: `an4/test/an391-mjwl-b`.

    Raises:
        DataError: a manifest is broken, or given twice.
    """
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise DataError(f"{path} is given twice, but each utterance counts once: leave one out.")
        seen.add(path.resolve())
    names = [f"{path.resolve().parent.name}/{path.stem}".removeprefix("/") for path in paths]
    manifests = [manifest.read(path) for path in paths]
    same_name = Counter(names)
    same_id = Counter(utterance.id for utterances in manifests for utterance in utterances)
    corpora = []
    for path, name, utterances in zip(paths, names, manifests, strict=True):
        own = str(path) if same_name[name] > 1 else name
        corpora.append(
            Corpus(own, path, tuple(replace(u, id=f"{own}/{u.id}") if same_id[u.id] > 1 else u for u in utterances))
        )
    return tuple(corpora)
