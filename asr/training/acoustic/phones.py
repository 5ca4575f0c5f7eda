"""Transcripts as the targets of the head over phones: the phones of each word, with a boundary between two words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.errors import DataError
from asr.pronunciation import letters_to_sounds, sources
from asr.pronunciation.dictionary import Phones
from asr.text import BOUNDARY, FIRST_PHONE


@dataclass(frozen=True)
class PhoneTargets:
    """The pronunciations of all words of the training transcripts that have one."""

    words: Mapping[str, tuple[int, ...]]
    """Word -> its tokens."""
    summary: str
    """How the words got their pronunciations, in a few words."""

    def encode(self, text: str) -> list[int]:
        """The tokens of a normalised transcript; none if one of its words has no pronunciation."""
        tokens: list[int] = []
        for word in text.split():
            if word not in self.words:
                return []
            tokens += [BOUNDARY] * bool(tokens)
            tokens += self.words[word]
        return tokens


def load(path: Path, phones: Sequence[str], texts: Iterable[str]) -> PhoneTargets:
    """Pronounce the words of all `texts`, which are normalised transcripts.

    A word has its first pronunciation in the dictionary or the model at `path`; the words that it lacks are pronounced
    by rules found in it, if there are any.

    Raises:
        DataError: the dictionary cannot be read, or has phones that are not in `phones`.
    """
    known = sources.load(path)
    if unknown := [name for name in known.phones if name not in phones]:
        raise DataError(
            f"The pronunciations '{path}' have phones that `model.phones` does not have ({', '.join(unknown)}): add "
            "them there, or give another dictionary."
        )
    words = sorted({word for text in texts for word in text.split()})
    pronounced = {word: known.words[word][0] for word in words if word in known.words}
    converted: dict[str, Phones] = {}
    if missing := [word for word in words if word not in pronounced]:
        converter = letters_to_sounds.train(known.words)
        converted = {word: found for word in missing if (found := converter.pronounce(word))}
    summary = (
        f"{len(phones)}; of {len(words):,} words {len(pronounced):,} are in the dictionary, "
        f"{len(converted):,} are pronounced by rules, {len(missing) - len(converted):,} have no pronunciation"
    )
    tokens = {name: token for token, name in enumerate(phones, start=FIRST_PHONE)}
    found = pronounced | converted
    return PhoneTargets({word: tuple(tokens[phone] for phone in found[word]) for word in found}, summary)
