"""Data embedded in a page."""

from asr.pages.assemble import embed


def test_a_text_cannot_close_the_script_element() -> None:
    assert embed({"text": "</script><script>alert(1)"}) == '{"text":"\\u003c/script>\\u003cscript>alert(1)"}'
