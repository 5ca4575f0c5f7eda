"""Messages that are safe to print."""

import pytest

from asr.errors import MAX_LINE, message_of, printable


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


def test_what_a_message_quotes_cannot_fill_the_terminal() -> None:
    message = f"a.ctm lacks '{'{' * 1_000_000}\n': give all."
    assert len(message_of(ValueError(message))) <= MAX_LINE
    assert message_of(message).startswith("a.ctm lacks '{{{") and message_of(message).endswith("{{{\\n': give all.")
    assert message_of("short\n  list") == "short\n  list"
