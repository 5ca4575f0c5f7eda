"""Progress reports while iterating."""

from asr.progress import tracked


def test_each_item_is_reported_when_the_next_is_requested() -> None:
    reported: list[tuple[str, float, float | None]] = []
    seen = []
    for item in tracked("abc", "reading", lambda task, done, total: reported.append((task, done, total))):
        seen.append((item, len(reported)))
    assert seen == [("a", 0), ("b", 1), ("c", 2)]
    assert reported == [("reading", 1, 3), ("reading", 2, 3), ("reading", 3, 3)]
