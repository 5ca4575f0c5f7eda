"""Data in a page."""

from asr.pages.assemble import embed


def test_a_text_cannot_end_the_script_it_stands_in() -> None:
    assert embed({"text": "</script><script>alert(1)"}) == '{"text":"\\u003c/script>\\u003cscript>alert(1)"}'
