"""Checks of a model file's metadata: strings from strangers, which must have the right types and sane values."""

import json
import math
from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 32
"""Deepest nesting of JSON."""
MAX_TEXT = 100_000
"""Longest name, description or licence, in characters."""


def parse_json(text: str) -> Any:
    """Parse JSON of limited depth. Raises ValueError."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None
    level, depth = [value], 0
    while level:
        if depth > MAX_DEPTH:
            raise ValueError(f"JSON is nested more than {MAX_DEPTH} levels deep")
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
        depth += 1
    return value


def parse_object(text: str, key: str) -> dict[str, Any]:
    """Parse a JSON object. Raises ValueError."""
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError(f"`{key}` is not a JSON object")
    return value


def integer(value: object, key: str, low: int, high: int) -> int:
    """Check a whole number, or parse one. Raises ValueError."""
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        number = None
    if not isinstance(number, int) or isinstance(number, bool) or not low <= number <= high:
        raise ValueError(f"`{key}` must be a whole number from {low:,} to {high:,}, not {short(value)}")
    return number


def real(value: object, key: str, low: float = -math.inf, high: float = math.inf) -> float:
    """Check a finite number, or parse one. Raises ValueError."""
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or not low <= number <= high:
        between = "finite" if math.isinf(low) else f"from {low:g} to {high:g}"
        raise ValueError(f"`{key}` must be a number, {between}, not {short(value)}")
    return number


def string(value: object, key: str, longest: int = MAX_TEXT) -> str:
    """Check a text without control characters other than line breaks. Raises ValueError."""
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError(f"`{key}` must be a text of at most {longest:,} characters")
    if any(is_control(character) and character not in "\n\t" for character in value):
        raise ValueError(f"`{key}` contains control characters")
    return value


def token(value: object, longest: int = 64) -> str:
    """Check the text of a token: printable. Raises ValueError."""
    if not isinstance(value, str) or not 0 < len(value) <= longest or any(map(is_control, value)):
        raise ValueError(f"a token must be a text of 1 to {longest} printable characters, not {short(value)}")
    return value


def is_control(character: str) -> bool:
    """Whether a character is a control character, a line or paragraph separator, or half of a pair."""
    code = ord(character)
    return code < 0x20 or 0x7F <= code < 0xA0 or code in (0x2028, 0x2029) or 0xD800 <= code < 0xE000


def short(value: object) -> str:
    """A value for messages."""
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def reason_of(error: Exception) -> str:
    """What is wrong, for messages: the error's own text, or which key is missing."""
    return f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)


def evaluations(scores: Mapping[str, Any]) -> None:
    """Check the stored evaluations of a card. Raises ValueError."""
    entries = scores.get("evaluations", [])
    if not isinstance(entries, list):
        raise ValueError("`scores.evaluations` is not a list")
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("groups", []), list):
            raise ValueError("an entry of `scores.evaluations` is not an object")
        string(entry.get("corpus"), "corpus")
        string(entry.get("decoding"), "decoding")
        real(entry.get("duration_s"), "duration_s", 0.0, 1e12)
        _rates(entry)
        for group in entry.get("groups", []):
            if not isinstance(group, dict):
                raise ValueError("a group of `scores.evaluations` is not an object")
            string(group.get("trait"), "trait")
            string(group.get("value"), "value")
            _rates(group)


def _rates(entry: Mapping[str, Any]) -> None:
    integer(entry.get("words"), "words", 0, 10**12)
    for key in ("wer", "cer", "low", "high"):
        if entry.get(key) is not None:
            real(entry[key], key, 0.0, 1e9)
        elif key not in entry:
            raise ValueError(f"`{key}` is missing")
