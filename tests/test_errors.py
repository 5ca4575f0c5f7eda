"""Messages that are safe to print."""

import pytest

from asr.errors import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain 'a.wav', \u00fc\u65e5", "plain 'a.wav', \u00fc\u65e5"),
        ("bad\nError: forged", "bad\\nError: forged"),
        ("a\x1b]0;T\x07b", "a\\x1b]0;T\\x07b"),
        ("tab\tand\rreturn\x9b\u2028", "tab\\tand\\rreturn\\x9b\\u2028"),
        ("a list:\n  one\n  two", "a list:\n  one\n  two"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
