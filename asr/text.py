"""Text on both sides of the model: normalisation to an alphabet, and tokens.

The model's text is lower case without punctuation, because that is what the training corpora hold. A tokenizer turns
such text into token numbers and back; number 0 is always CTC's blank and belongs to no character.
"""

import base64
import functools
import io
import itertools
import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from asr.errors import DataError, ModelError

BLANK = 0
ENGLISH = " 'abcdefghijklmnopqrstuvwxyz"
"""The alphabet of English models."""
PLAIN = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\u02b9\u2032\u0060\u00b4\uff07", "'"))
"""Characters that people type where an apostrophe is meant -> the apostrophe."""
WORD_START = "\u2581"
"""What sentencepiece writes at the beginning of a piece that begins a word."""


def normalise(text: str, alphabet: str) -> str:
    """Bring a transcript to the form that the model reads and writes.

    Unicode NFKC, lower case, typographic apostrophes made plain. A character of `alphabet` stays; an apostrophe that
    is not in it vanishes ("don't" -> "dont"), and so do characters without a width, such as the soft hyphen; any other
    punctuation or symbol becomes a space; runs of white space become one space. Letters and digits outside the alphabet
    stay as they are, so that `encode` can name them: dropping them would make the transcript say what was not spoken.
    """
    lower = text.lower()
    if lower.isascii() and set(lower) <= set(alphabet):
        return " ".join(lower.split())  # nothing to change; a corpus has millions of such lines
    text = unicodedata.normalize("NFKC", text.translate(PLAIN))
    kept = []
    for character in unicodedata.normalize("NFKC", text.lower()):
        category = unicodedata.category(character)
        if character in alphabet:
            kept.append(character)
        elif character != "'" and category != "Cf":
            kept.append(" " if category[0] in "PSZC" else character)
    return " ".join(unicodedata.normalize("NFKC", "".join(kept)).split())


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
        _check_alphabet(text, self.alphabet)
        return [self._numbers[character] for character in text]

    @functools.cached_property
    def _numbers(self) -> dict[str, int]:
        return {character: number for number, character in enumerate(self.alphabet, start=1)}

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


@dataclass(frozen=True)
class SubwordTokenizer:
    """One token a piece of a word: token i + 1 is `pieces[i]`, token 0 is the blank.

    Pieces come from sentencepiece (Kudo and Richardson 2018); one that begins a word begins with "\u2581". Reading them
    needs nothing; cutting a text into them needs the package, which training brings along.
    """

    alphabet: str
    pieces: tuple[str, ...]
    model: bytes
    """sentencepiece's own file, its unknown token being number 0."""

    @property
    def size(self) -> int:
        """The number of tokens, the blank included."""
        return len(self.pieces) + 1

    def normalise(self, text: str) -> str:
        """`text` as the model would write it."""
        return normalise(text, self.alphabet)

    def encode(self, text: str) -> list[int]:
        """Token numbers of `text`, normalised first. Raises DataError naming characters outside the alphabet."""
        text = self.normalise(text)
        _check_alphabet(text, self.alphabet)
        tokens = self._processor.encode(text)
        if BLANK in tokens:
            raise DataError(
                f"The text {text!r} holds a character that no training transcript held, so no sub-word contains it: "
                "add such transcripts, or use characters (`text.subwords: 0`)."
            )
        return tokens

    @functools.cached_property
    def _processor(self) -> Any:
        import sentencepiece

        return sentencepiece.SentencePieceProcessor(model_proto=self.model)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of token numbers, blanks left out."""
        pieces = (self.pieces[token - 1] for token in tokens if token != BLANK)
        return "".join(pieces).replace(WORD_START, " ").removeprefix(" ")

    def words(self, tokens: Sequence[int]) -> list[tuple[int, int]]:
        """Where the words lie: pairs (first, last + 1) of positions in `tokens`, a sequence without blanks."""
        starts = [p for p, token in enumerate(tokens) if p == 0 or self.pieces[token - 1].startswith(WORD_START)]
        spans = itertools.pairwise([*starts, len(tokens)])
        return [(first, last) for first, last in spans if self.decode(tokens[first:last])]

    def to_json(self) -> str:
        """What stands in a model file."""
        model = base64.b64encode(self.model).decode()
        description = {"type": "subwords", "alphabet": self.alphabet, "pieces": self.pieces, "model": model}
        return json.dumps(description, ensure_ascii=False)


Tokenizer = CharTokenizer | SubwordTokenizer


def train_subwords(texts: Iterable[str], alphabet: str, size: int) -> SubwordTokenizer:
    """Find `size` - 1 pieces (and the blank) for the texts: sentencepiece's unigram model (Kudo 2018).

    Raises:
        DataError: a text has a character outside the alphabet, or there is too little text for so many pieces.
    """
    import sentencepiece

    normalised = [normalise(text, alphabet) for text in texts]
    for text in normalised:
        _check_alphabet(text, alphabet)
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(normalised),
            model_writer=model,
            vocab_size=size,
            model_type="unigram",
            character_coverage=1.0,
            normalization_rule_name="identity",
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        reason = " ".join(str(error).split()).rpartition("] ")[2] or "too little text"
        raise DataError(f"The training texts do not give `text.subwords` (={size}) tokens: {reason}") from None
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = tuple(processor.id_to_piece(number) for number in range(1, processor.vocab_size()))
    return SubwordTokenizer(alphabet, pieces, model.getvalue())


def tokenizer_from_json(text: str) -> Tokenizer:
    """The tokenizer that a model file describes. Raises ModelError for a kind this version does not know."""
    description = json.loads(text)
    match description.get("type"):
        case "characters":
            return CharTokenizer(description["alphabet"])
        case "subwords":
            model = base64.b64decode(description["model"], validate=True)
            return SubwordTokenizer(description["alphabet"], tuple(description["pieces"]), model)
        case other:
            raise ModelError(
                f"The model's tokenizer is of type {other!r}, and this version of asr knows 'characters' and "
                "'subwords': install the version that made the model, or a newer one."
            )


def _check_alphabet(text: str, alphabet: str) -> None:
    outside = sorted(set(text) - set(alphabet))
    if outside:
        raise DataError(
            f"The text {text!r} holds {_quoted(outside)}, outside the alphabet {alphabet!r}: "
            "spell it out in the transcript, or add it to `text.alphabet` in the recipe."
        )


def _quoted(characters: Iterable[str]) -> str:
    return ", ".join(f"{c!r} (U+{ord(c):04X})" for c in characters)
