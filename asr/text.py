"""Text on both sides of the model: normalisation to an alphabet, and tokens.

The model's text is lower case without punctuation, because that is what the training corpora hold. A tokenizer turns
such text into token numbers and back; number 0 is always CTC's blank and belongs to no character.
"""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asr.errors import DataError, ModelError

BLANK = 0
APOSTROPHES = "\u2018\u2019\u02bc\u02b9\u2032\u0060\u00b4\uff07"
"""Characters that people type where an apostrophe is meant."""


def normalise(text: str, alphabet: str) -> str:
    """Bring a transcript to the form that the model reads and writes.

    Unicode NFKC, lower case, typographic apostrophes made plain. A character of `alphabet` stays; an apostrophe that
    is not in it vanishes ("don't" -> "dont"); any other punctuation or symbol becomes a space; runs of white space
    become one space. Letters and digits outside the alphabet stay as they are, so that `CharTokenizer.encode` can
    name them: dropping them would make the transcript say what was not spoken.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    kept = []
    for character in text:
        plain = "'" if character in APOSTROPHES else character
        if plain in alphabet:
            kept.append(plain)
        elif plain == "'":
            continue
        elif unicodedata.category(plain)[0] in "PSZC":
            kept.append(" ")
        else:
            kept.append(plain)
    return " ".join("".join(kept).split())


@dataclass(frozen=True)
class CharTokenizer:
    """One token a character: token i + 1 is `alphabet[i]`, token 0 is the blank."""

    alphabet: str

    def __post_init__(self) -> None:
        """Raises DataError when the alphabet repeats a character, lacks the space, or could never match a text."""
        repeated = sorted({c for c in self.alphabet if self.alphabet.count(c) > 1})
        if repeated:
            raise DataError(f"The alphabet holds {_quoted(repeated)} more than once: each character is one token.")
        if " " not in self.alphabet:
            raise DataError(f"The alphabet {self.alphabet!r} lacks the space, which separates words: add it.")
        changed = [c for c in self.alphabet if c != " " and normalise(c, self.alphabet) != c]
        if changed:
            raise DataError(
                f"The alphabet holds {_quoted(changed)}, which normalised text never does: "
                "write it in lower case and in Unicode's composed form (NFKC)."
            )

    @property
    def size(self) -> int:
        """The number of tokens, the blank included."""
        return len(self.alphabet) + 1

    def normalise(self, text: str) -> str:
        """`text` as the model would write it."""
        return normalise(text, self.alphabet)

    def encode(self, text: str) -> list[int]:
        """Token numbers of `text`, normalised first. Raises DataError naming characters outside the alphabet."""
        text = self.normalise(text)
        outside = sorted(set(text) - set(self.alphabet))
        if outside:
            raise DataError(
                f"The text {text!r} holds {_quoted(outside)}, outside the alphabet {self.alphabet!r}: "
                "spell it out in the transcript, or add it to `text.alphabet` in the recipe."
            )
        return [self.alphabet.index(character) + 1 for character in text]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of token numbers, blanks left out."""
        return "".join(self.alphabet[token - 1] for token in tokens if token != BLANK)

    def words(self, tokens: Sequence[int]) -> list[tuple[int, int]]:
        """Where the words lie: pairs (first, last + 1) of positions in `tokens`, a sequence without blanks."""
        space = self.alphabet.index(" ") + 1
        spans, first = [], None
        for position, token in enumerate([*tokens, space]):
            if token == space:
                if first is not None:
                    spans.append((first, position))
                first = None
            elif first is None:
                first = position
        return spans

    def to_json(self) -> str:
        """What stands in a model file."""
        return json.dumps({"type": "characters", "alphabet": self.alphabet}, ensure_ascii=False)


def tokenizer_from_json(text: str) -> CharTokenizer:
    """The tokenizer that a model file describes. Raises ModelError for a kind this version does not know."""
    description = json.loads(text)
    if description.get("type") != "characters":
        raise ModelError(
            f"The model's tokenizer is of type {description.get('type')!r}, and this version of asr knows "
            "'characters' only: install the version that made the model, or a newer one."
        )
    return CharTokenizer(description["alphabet"])


def _quoted(characters: Iterable[str]) -> str:
    return ", ".join(f"{c!r} (U+{ord(c):04X})" for c in characters)
