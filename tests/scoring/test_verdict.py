"""Rendered comparisons: the exact text in a small case, and escaping in Markdown."""

from dataclasses import replace

from asr.scoring.compare import compare
from asr.scoring.verdict import conclusion, markdown, render
from asr.scoring.wer import score

REFERENCES = ["one two", "a b c", "good morning", "x <y> z | w"]
COMPARISON = compare(
    score(REFERENCES, ["one two", "a x c", "good", "x <y> z | w"]),
    score(REFERENCES, ["one two", "a b c", "good morning", "x * | w"]),
    names=("old_run", "new"),
)


def test_text() -> None:
    change = COMPARISON.difference
    assert change is not None
    assert change.interval is not None
    low, high = f"{100 * change.interval.low:+.2f}", f"{100 * change.interval.high:+.2f}"
    assert render(COMPARISON) == (
        "                WER  errors  substituted  deleted  inserted  reference\n"
        "A: old_run  16.67 %       2            1        1         0         12\n"
        "B: new      16.67 %       2            1        1         0         12\n"
        "\n"
        f"Change in WER (B - A): +0.00 points, 95 % interval {low} to {high} (bootstrap, 10,000 draws of 4 "
        "utterances).\n"
        f"Probability of improvement: B is better in {100 * change.better:.1f} % of the draws, "
        f"worse in {100 * change.worse:.1f} %.\n"
        "Warning: with only 4 utterances the interval is imprecise.\n"
        "MAPSSWE: Z = 0.000, p = 1.000, 3 segments: too few for a verdict, which takes 50.\n"
        "Sign test: A is better in 1 utterances, B in 2, equal in 1 (ignored), p = 1.000: no significant "
        "difference.\n"
        "Words aligned by: fewest edits; for MAPSSWE always sclite's weights (4, 3, 3).\n"
        "\n"
        "4: 0 -> 2 errors\n"
        "  reference  x <y> z | w\n"
        "  A          x <y> z | w\n"
        "  B          x * | w\n"
        "\n"
        "2: 1 -> 0 errors\n"
        "  reference  a b c\n"
        "  A          a x c\n"
        "  B          a b c\n"
        "\n"
        "3: 1 -> 0 errors\n"
        "  reference  good morning\n"
        "  A          good\n"
        "  B          good morning\n"
        "\n"
        "No difference can be shown: A makes 2 word errors and B 2, and chance alone makes such a difference or a "
        "larger "
        "one with a probability of 1.000 (sign test)."
    )


def test_markdown() -> None:
    lines = markdown(COMPARISON).splitlines()
    assert lines[0].startswith("**No difference can be shown: ")
    assert lines[2:6] == [
        "| system | WER | errors | substituted | deleted | inserted | reference |",
        "|---|--:|--:|--:|--:|--:|--:|",
        "| A: old\\_run | 16.67 % | 2 | 1 | 1 | 0 | 12 |",
        "| B: new | 16.67 % | 2 | 1 | 1 | 0 | 12 |",
    ]
    findings = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    assert findings == render(COMPARISON).splitlines()[4:10]
    assert lines[-3] == r"| 4 | 0 -\> 2 | x \<y\> z \| w | x \<y\> z \| w | x \* \| w |"


def test_the_better_system_is_named_if_significant() -> None:
    references = [f"a b c {number}" for number in range(60)]
    worse = score(references, ["x" if number % 3 else "a b c x" for number in range(60)])
    right = score(references, references)
    text = render(compare(worse, right))
    assert text.count(": B is better.") == 2
    assert "no significant difference" not in text
    assert text.endswith(
        f"B is better: 100 % fewer word errors ({worse.words.errors} -> 0); a difference this large is not chance "
        "(MAPSSWE, p < 0.001)."
    )
    swapped = render(compare(right, worse))
    assert swapped.count(": A is better.") == 2
    assert "equal in 0 (ignored), p = 1.7e-18: " in swapped  # 2 / 2 ** 60


def test_a_handful_of_segments_is_left_to_the_sign_test() -> None:
    """MAPSSWE's normal approximation would give p < 0.001 here: Z of 4 to 3 errors in 6 segments."""
    references = [f"a b c {number}" for number in range(6)]
    worse = score(references, [f"x y {'z' if number % 2 else 'c'} v" for number in range(6)])
    comparison = compare(worse, score(references, references))
    assert comparison.mapsswe is not None
    assert comparison.mapsswe.p < 0.001
    text = render(comparison)
    assert "6 segments: too few for a verdict, which takes 50.\n" in text
    assert text.endswith("a difference this large is not chance (sign test, p = 0.031).")  # 2 / 2 ** 6


def test_segments_that_differ_alike_are_left_to_the_sign_test() -> None:
    references = [f"a b c {number}" for number in range(60)]
    text = render(compare(score(references, ["a b c x"] * 60), score(references, references)))
    assert "60 segments: no verdict, because all of them differ alike." in text
    assert "B is better: 100 % fewer word errors" in text
    assert "(sign test, p < 0.001)" in text


def test_fewer_errors_in_fewer_utterances_are_no_verdict() -> None:
    """A wins 12 utterances by a word each, B one by 20 words: neither number speaks for the other system."""
    references = ["a b c d"] * 12 + ["e " * 24]
    a = score(references, ["a b c d"] * 12 + ["x " * 20 + "e " * 4])
    b = score(references, ["a b c x"] * 12 + ["e " * 24])
    assert conclusion(compare(a, b)) == (
        "No difference can be shown: A makes 20 word errors and B 12, but the sign test favours A."
    )


def test_an_interval_with_zero_is_said() -> None:
    """B is better for one speaker of four, in so many segments that MAPSSWE is sure."""
    references = [f"a b c {number}" for number in range(160)]
    speakers = [f"s{number % 4}" for number in range(160)]
    wrong = [f"{'x' if number % 4 == 0 else 'a'} b c {'x' if number % 7 == 0 else number}" for number in range(160)]
    other = [f"a b c {'x' if number % 7 == 0 else number}" for number in range(160)]
    comparison = compare(score(references, wrong, speakers=speakers), score(references, other, speakers=speakers))
    assert comparison.difference is not None
    assert comparison.difference.interval is not None
    assert comparison.difference.interval.high >= 0
    assert conclusion(comparison).endswith(
        "p < 0.001). But the interval over speakers includes zero: with other speakers it may be different."
    )


def test_what_the_systems_are_is_said_without_control_characters() -> None:
    text = render(replace(COMPARISON, facts=({"model": "old\x1b[31m", "date": "2020-02-02"}, {})))
    assert "A: model old\\x1b[31m; date 2020-02-02.\nChange in WER" in text
    assert "\x1b" not in text


def test_without_a_reference_word() -> None:
    empty = score([""], ["uh"])
    assert "Change in WER (B - A): undefined because the references contain no words." in render(compare(empty, empty))


def test_without_an_interval() -> None:
    same = replace(COMPARISON.a)
    text = render(compare(same, same))
    assert "+0.00 points, no interval, which takes at least 4 utterances and a difference." in text
    assert "No difference can be shown" in text
    assert " -> " not in text, "no utterance changed"
