"""Text normalisation and tokenizers.

The model's text is lower case without punctuation, because that is what the training corpora contain. A tokenizer
converts such text to token IDs and back; ID 0 is always the CTC blank, which stands for no character.
"""

import base64
import functools
import io
import itertools
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from asr.errors import DataError, ModelError

BLANK = 0
BOUNDARY, FIRST_PHONE = 1, 2
"""Tokens of a head over phones: the boundary between two words, and the first phone; its blank is that of CTC, too."""
ENGLISH = " 'abcdefghijklmnopqrstuvwxyz"
"""The alphabet of English models."""
APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u201b\u02bc\u02b9\u2032\u0060\u00b4\uff07", "'"))
"""Characters that are often typed instead of an apostrophe -> the apostrophe."""
LEADING = frozenset(
    [
        "'bout",
        "'cause",
        "'cos",
        "'course",
        "'e",
        "'em",
        "'er",
        "'fore",
        "'gainst",
        "'im",
        "'mong",
        "'n",
        "'n'",
        "'neath",
        "'nother",
        "'nough",
        "'nuff",
        "'pon",
        "'round",
        "'scuse",
        "'specially",
        "'spose",
        "'tain't",
        "'til",
        "'till",
        "'tis",
        "'tisn't",
        "'twas",
        "'twasn't",
        "'tween",
        "'twere",
        "'twill",
        "'twixt",
        "'twon't",
        "'twould",
        "'twouldn't",
        "'un",
        "'uns",
        "'way",
    ]
)
"""Words that begin with an apostrophe; before any other it is a quotation mark."""
TRAILING = frozenset(["an'", "don'", "fo'", "jes'", "las'", "mo'", "o'", "ol'", "po'", "th'", "wi'", "wid'", "yo'"])
"""Words that end with an apostrophe, besides plural possessives (the boys' room) and those in -in' (going)."""
MAX_CHARACTERS = 20_000
"""Of an alphabet in a file."""
EDGE = re.compile(r"(?<![a-z])'|'(?![a-z])")
"""An apostrophe at the edge of a word."""
WORD_START = "\u2581"
"""Marker with which sentencepiece begins every piece that starts a word."""


def normalise(text: str, alphabet: str) -> str:
    """Normalise a transcript to the form that the model reads and writes.

    Applies Unicode NFKC, lower case, and replaces typographic apostrophes by "'". Characters of `alphabet` are kept; an
    apostrophe outside it is removed ("don't" -> "dont"), as are zero-width characters such as the soft hyphen; single
    quotation marks are not apostrophes and are removed, too ("'tis the boys' 'room'" -> "'tis the boys' room"); any
    other punctuation or symbol becomes a space; runs of white space become one space. Letters and digits outside the
    alphabet are kept, so that `encode` can report them: without them, the transcript would differ from the speech.
    """
    lower = text.lower()
    if lower.isascii() and set(lower) <= set(alphabet) and not EDGE.search(lower):
        return " ".join(lower.split())  # fast path: a corpus has millions of such lines
    text = unicodedata.normalize("NFKC", text.translate(APOSTROPHES))
    characters = []
    for character in unicodedata.normalize("NFKC", text.lower()):
        category = unicodedata.category(character)
        if character in alphabet:
            characters.append(character)
        elif character != "'" and category != "Cf":
            characters.append(" " if category[0] in "PSZC" else character)
    normalised = unicodedata.normalize("NFKC", "".join(characters)).split()
    return " ".join(_without_quotes(normalised) if "'" in alphabet else normalised)


def _without_quotes(words: Sequence[str]) -> list[str]:
    """Remove apostrophes at the edges of words that are quotation marks; a word of nothing else disappears.

    An apostrophe at the end of a word that may have one (a plural possessive) is a quotation mark if one was opened.
    """
    result, is_open = [], False
    for word in words:
        if word in LEADING:
            result.append(word)
            continue
        core = word.lstrip("'")
        if "'" + core.rstrip("'") in LEADING and core != word:
            core = "'" + core  # a quotation mark before it, as in ''tis
        is_open = is_open or core != word
        if core.endswith("'"):
            bare = core.rstrip("'")
            may_end = bare.endswith(("s", "x", "z", "in")) or bare + "'" in TRAILING
            if is_open or not may_end:
                core, is_open = bare, False
            else:
                core = bare + "'"
        if core:
            result.append(core)
    return result


@dataclass(frozen=True)
class CharTokenizer:
    """One token per character: token i + 1 is `alphabet[i]`, token 0 is the blank."""

    alphabet: str

    def __post_init__(self) -> None:
        """Raises DataError if the alphabet repeats a character, lacks the space, or has one that no text contains."""
        repeated = sorted({c for c in self.alphabet if self.alphabet.count(c) > 1})
        if repeated:
            raise DataError(f"The alphabet contains {_quoted(repeated)} more than once: list each character once.")
        if " " not in self.alphabet:
            raise DataError(f"The alphabet {self.alphabet!r} lacks the space, which separates words: add it.")
        unreachable = [c for c in self.alphabet if c not in " '" and normalise(c, self.alphabet) != c]
        if unreachable:
            raise DataError(
                f"The alphabet contains {_quoted(unreachable)}, which normalised text never does: "
                "write it in lower case and in Unicode's composed form (NFKC)."
            )
        if controls := [c for c in self.alphabet if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]:
            raise DataError(f"The alphabet contains the control characters {_quoted(controls)}: remove them.")

    @property
    def size(self) -> int:
        """The number of tokens, including the blank."""
        return len(self.alphabet) + 1

    def normalise(self, text: str) -> str:
        """Normalise `text` to the form that the model writes."""
        return normalise(text, self.alphabet)

    def encode(self, text: str) -> list[int]:
        """Normalise and tokenize `text`. Raises DataError naming characters outside the alphabet."""
        text = self.normalise(text)
        _check_alphabet(text, self.alphabet)
        return [self._ids[character] for character in text]

    @functools.cached_property
    def _ids(self) -> dict[str, int]:
        return {character: token for token, character in enumerate(self.alphabet, start=1)}

    def decode(self, tokens: Iterable[int]) -> str:
        """Convert token IDs to text, ignoring blanks."""
        return "".join(self.alphabet[token - 1] for token in tokens if token != BLANK)

    def words(self, tokens: Sequence[int]) -> list[tuple[int, int]]:
        """Find the words: spans (first, last + 1) of positions in `tokens`, a sequence without blanks."""
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
        """Serialise the tokenizer for a model file."""
        return json.dumps({"type": "characters", "alphabet": self.alphabet}, ensure_ascii=False)


@dataclass(frozen=True)
class SubwordTokenizer:
    """One token per sub-word piece: token i + 1 is `pieces[i]`, token 0 is the blank.

    The pieces are those of sentencepiece (Kudo and Richardson 2018); one that starts a word begins with "\u2581".
    Decoding needs no further package; encoding needs sentencepiece, which the extra `train` installs.
    """

    alphabet: str
    pieces: tuple[str, ...]
    model: bytes
    """The serialised sentencepiece model, with 0 as the ID of the unknown token."""

    @property
    def size(self) -> int:
        """The number of tokens, including the blank."""
        return len(self.pieces) + 1

    def normalise(self, text: str) -> str:
        """Normalise `text` to the form that the model writes."""
        return normalise(text, self.alphabet)

    def encode(self, text: str) -> list[int]:
        """Normalise and tokenize `text`. Raises DataError naming characters outside the alphabet."""
        text = self.normalise(text)
        _check_alphabet(text, self.alphabet)
        tokens = self._processor.encode(text)
        if BLANK in tokens:
            raise DataError(
                f"The text {text!r} contains a character that no training transcript contained, so no sub-word has it: "
                "add such transcripts, or use characters (`text.subwords: 0`)."
            )
        return tokens

    @functools.cached_property
    def _processor(self) -> Any:
        import sentencepiece

        return sentencepiece.SentencePieceProcessor(model_proto=self.model)

    def decode(self, tokens: Iterable[int]) -> str:
        """Convert token IDs to text, ignoring blanks."""
        pieces = (self.pieces[token - 1] for token in tokens if token != BLANK)
        return "".join(pieces).replace(WORD_START, " ").removeprefix(" ")

    def words(self, tokens: Sequence[int]) -> list[tuple[int, int]]:
        """Find the words: spans (first, last + 1) of positions in `tokens`, a sequence without blanks."""
        starts = [p for p, token in enumerate(tokens) if p == 0 or self.pieces[token - 1].startswith(WORD_START)]
        spans = itertools.pairwise([*starts, len(tokens)])
        return [(first, last) for first, last in spans if self.decode(tokens[first:last])]

    def to_json(self) -> str:
        """Serialise the tokenizer for a model file."""
        model = base64.b64encode(self.model).decode()
        description = {"type": "subwords", "alphabet": self.alphabet, "pieces": self.pieces, "model": model}
        return json.dumps(description, ensure_ascii=False)


Tokenizer = CharTokenizer | SubwordTokenizer


def train_subwords(texts: Iterable[str], alphabet: str, size: int) -> SubwordTokenizer:
    """Train a tokenizer of `size` tokens, including the blank: sentencepiece's unigram model (Kudo 2018).

    Raises:
        DataError: a text has a character outside the alphabet, or there is too little text for `size` tokens.
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
        raise DataError(f"Cannot train `text.subwords` (={size}) tokens on the training texts: {reason}") from None
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = tuple(processor.id_to_piece(token) for token in range(1, processor.vocab_size()))
    return SubwordTokenizer(alphabet, pieces, model.getvalue())


def tokenizer_from_json(text: str) -> Tokenizer:
    """Restore the tokenizer from a model file. Raises ModelError for an unknown type, ValueError for a damaged one."""
    try:
        description = json.loads(text)
    except RecursionError:
        raise ValueError("the tokenizer is nested too deeply") from None
    if not isinstance(description, dict):
        raise ValueError("the tokenizer is not a JSON object")  # noqa: TRY004
    match description.get("type"):
        case "characters":
            return CharTokenizer(_tokens(description["alphabet"], "alphabet"))
        case "subwords":
            model = base64.b64decode(description["model"], validate=True)
            pieces = description["pieces"]
            if not isinstance(pieces, list) or not all(isinstance(piece, str) for piece in pieces):
                raise ValueError("the sub-words of the tokenizer are not a list of texts")
            for piece in pieces:
                _tokens(piece, "sub-word")
            return SubwordTokenizer(_tokens(description["alphabet"], "alphabet"), tuple(pieces), model)
        case other:
            raise ModelError(
                f"The model's tokenizer is of type {other!r}, but this version of asr only knows 'characters' and "
                "'subwords': install the version that wrote the model, or a newer one."
            )


def _tokens(text: Any, what: str) -> str:
    """Check the text of tokens from a file: not empty, of limited length, and without control characters."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_CHARACTERS:
        raise ValueError(f"the {what} of the tokenizer must have 1 to {MAX_CHARACTERS:,} characters")
    if bad := [c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]:
        raise ValueError(f"the {what} of the tokenizer contains the control character U+{ord(bad[0]):04X}")
    return text


def _check_alphabet(text: str, alphabet: str) -> None:
    outside = sorted(set(text) - set(alphabet))
    if outside:
        raise DataError(
            f"The text {text!r} contains {_quoted(outside)}, outside the alphabet {alphabet!r}: "
            "spell it out in the transcript, or add it to `text.alphabet` in the recipe."
        )


def _quoted(characters: Iterable[str]) -> str:
    return ", ".join(f"{c!r} (U+{ord(c):04X})" for c in characters)
