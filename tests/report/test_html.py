"""The report page in a real browser: its content, and its use with mouse, keyboard and screen reader."""

import copy
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from asr.report import systems
from asr.report.compare import write_comparison
from asr.report.document import Details, build
from asr.report.media import Gallery
from asr.report.output_folder import write_report
from asr.scoring.wer import score
from asr.transcript.words import Word

if TYPE_CHECKING:
    from tests.report.conftest import Made

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(made: "Made", tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report"
    write_report(path, made.document, made.gallery)
    return path


@pytest.fixture
def page(folder: Path, open_page: Open) -> Any:
    return open_page(folder / "index.html")


def ids(page: Any) -> list[str]:
    """The ids of the visible utterances."""
    return [text.strip("▸▾") for text in page.locator("#utterances-body tbody th").all_inner_texts()]


def status(page: Any) -> str:
    return page.locator("#utterances-body [role=status]").inner_text()


def test_the_folder_is_complete(folder: Path, made: "Made") -> None:
    names = {"index.html", "report.json", "report.md", "ref.trn", "hyp.trn"}
    assert {path.name for path in folder.iterdir()} == names
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == made.document


def test_the_page_makes_no_requests(folder: Path) -> None:
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert re.findall(r"https?://[\w./]+", text) == ["http://www.w3.org/2000/svg"]


def test_the_summary_has_the_documents_numbers(page: Any, made: "Made") -> None:
    summary = made.document["summary"]
    shown = page.locator("#summary-body .big").all_inner_texts()
    assert shown == [f"{100 * summary[unit]['rate']:.2f} %" for unit in ("words", "characters", "sentences")]
    ends = summary["words"]["interval"]
    assert f"{100 * ends['low']:.2f} – {100 * ends['high']:.2f} %" in page.locator("#summary-body").inner_text()
    assert page.title() == page.locator("h1").inner_text() == "made-up on made/clean and made/other"


def test_the_interval_is_drawn_to_scale(page: Any, made: "Made") -> None:
    words = made.document["summary"]["words"]
    chart = page.locator("#summary-body svg").first
    bar, point = chart.locator(".bar-line").first, chart.locator(".point").first
    low, high, rate = (float(bar.get_attribute("x1")), float(bar.get_attribute("x2")), float(point.get_attribute("cx")))
    ends = words["interval"]
    expected = (words["rate"] - ends["low"]) / (ends["high"] - ends["low"])
    assert (rate - low) / (high - low) == pytest.approx(expected, abs=1e-3)


def test_utterances_sort_in_both_directions(page: Any, made: "Made") -> None:
    by_errors = sorted(made.document["utterances"], key=lambda utterance: -utterance["words"]["errors"])
    assert ids(page) == [utterance["id"] for utterance in by_errors[:25]]
    head = page.locator("#utterances-body th", has=page.get_by_role("button", name="duration"))
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    by_duration = sorted(made.document["utterances"], key=lambda utterance: -utterance["duration_s"])
    assert ids(page) == [utterance["id"] for utterance in by_duration[:25]]
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert page.locator("#utterances-body [aria-sort]").count() == 1
    ascending = sorted(made.document["utterances"], key=lambda utterance: utterance["duration_s"])
    assert ids(page) == [utterance["id"] for utterance in ascending[:25]]


def test_pages_turn(page: Any, made: "Made") -> None:
    total = len(made.document["utterances"])
    first = ids(page)
    assert status(page) == f"1 – 25 of {total}"
    page.locator("#utterances-body").get_by_role("button", name="Next").click()
    assert status(page) == f"26 – 50 of {total}"
    assert not set(first) & set(ids(page))
    page.locator("#utterances-body").get_by_role("button", name="Previous").click()
    assert ids(page) == first


def test_the_search_finds_text_ids_and_speakers(page: Any, made: "Made", until: Open) -> None:
    for query in ("s3-", "had", "hads"):
        expected = [
            utterance["id"]
            for utterance in made.document["utterances"]
            if query in f"{utterance['id']} {utterance['reference']} {utterance['hypothesis']}".lower()
        ]
        page.locator("#search").fill(query)
        until(page, f"table.rows.length === {len(expected)}")
        assert sorted(page.evaluate("table.rows.map(row => row.id)")) == sorted(expected)
    page.locator("#search").fill("no such words")
    page.get_by_text("No utterance matches the search and the filters.").wait_for()
    assert status(page) == "0 of 0"


@pytest.mark.parametrize("kind", ["substitution", "deletion", "insertion"])
def test_the_filter_shows_one_kind_of_error(page: Any, made: "Made", kind: str) -> None:
    page.get_by_label("Show").select_option(kind)
    expected = [u["id"] for u in made.document["utterances"] if any(pair[0] == kind for pair in u["pairs"])]
    assert sorted(page.evaluate("table.rows.map(row => row.id)")) == sorted(expected)


def test_a_word_error_leads_to_its_utterances(page: Any, made: "Made") -> None:
    error = made.document["word_errors"][0]
    page.locator("#errors-body tbody button").first.click()
    assert page.evaluate("document.activeElement.id") == "utterances"
    assert page.evaluate("table.rows.length") == error["utterances"]
    page.get_by_role("button", name="Remove the filter").click()
    assert page.evaluate("table.rows.length") == len(made.document["utterances"])


@pytest.mark.parametrize("kind", ["corpus", "speaker", "group", "duration", "speaking_rate"])
def test_a_part_leads_to_its_utterances(page: Any, made: "Made", kind: str) -> None:
    parts = made.document["parts"][kind]
    if len(parts) < 2:
        pytest.skip("one part is not shown")
    names = {"corpus": "By corpus", "speaker": "By speaker", "group": "By speaker group", "duration": "By duration"}
    region = page.get_by_role("region", name=names.get(kind, "By speaking rate"), exact=True)
    for part in parts:
        region.get_by_role("button", name=part["name"], exact=True).click()
        assert page.evaluate("table.rows.length") == part["utterances"]


def test_the_alignment_has_signs_and_words_for_every_error(page: Any, made: "Made") -> None:
    utterance = max(made.document["utterances"], key=lambda u: u["words"]["errors"])
    cell = page.locator("#utterances-body tbody tr").first.locator(".text")
    for kind, style, sign in (("substitution", ".sub", "≠"), ("deletion", ".del", "−"), ("insertion", ".ins", "+")):
        shown = cell.locator(style)
        pairs = [pair for pair in utterance["pairs"] if pair[0] == kind]
        assert shown.count() == len(pairs)
        for place, (_, reference, hypothesis) in enumerate(pairs):
            text = shown.nth(place).text_content()
            assert sign in text
            assert {"sub": "substituted", "del": "deleted", "ins": "inserted"}[style[1:]] in text
            assert all(word in text for word in (reference, hypothesis) if word)


WATCH = """() => { watched = []; const words = [...document.querySelectorAll('.alignment button')];
  new MutationObserver((changes) => { for (const { target } of changes) if (target.matches('.now')) watched.push([
    words.indexOf(target), document.querySelector('audio').currentTime,
    document.querySelectorAll('.alignment .now').length]);
  }).observe(words[0].closest('ol'), { attributes: true, subtree: true }); }"""
"""Lists the words that are highlighted: number, time of the audio, and how many are highlighted at once."""


def test_words_are_highlighted_during_playback(page: Any, made: "Made", until: Open) -> None:
    utterance = max(made.document["utterances"], key=lambda u: u["words"]["errors"])
    page.get_by_role("button", name=utterance["id"]).click()
    words = page.locator(".alignment button")
    assert words.all_inner_texts() == [word["text"] for word in utterance["recognised"]]
    place = 2
    page.evaluate(WATCH)  # because a word is highlighted for a moment only
    words.nth(place).click()  # plays from there
    until(page, "watched.length >= 3")  # a busy machine draws too few frames to show every word
    watched = page.evaluate("watched")
    numbers = [number for number, _, _ in watched]
    assert numbers[0] == place
    assert numbers == sorted(set(numbers))
    for number, time_s, count in watched:
        word = utterance["recognised"][number]
        assert word["start_s"] <= time_s < word["end_s"] + 0.5
        assert count == 1
    page.evaluate("document.querySelector('audio').pause()")
    assert page.evaluate("document.querySelector('audio').duration") == pytest.approx(utterance["duration_s"], abs=0.02)


def test_the_stage_shows_spectrogram_frames_and_words(page: Any, made: "Made") -> None:
    utterance = max(made.document["utterances"], key=lambda u: u["words"]["errors"])
    page.get_by_role("button", name=utterance["id"]).click()
    stage = page.locator(".stage svg")
    assert stage.locator("image").count() == 1
    assert (
        page.evaluate(
            """async () => { const image = new Image(); image.src = document.querySelector('.stage image').href.baseVal;
        await image.decode(); return image.naturalHeight; }"""
        )
        == 80
    )
    assert stage.locator("rect.word").count() == len(utterance["recognised"])
    assert stage.locator("polygon").count() > 10


def test_an_utterance_without_audio_says_why(page: Any, made: "Made", until: Open) -> None:
    fewest = min(made.document["utterances"], key=lambda u: u["words"]["errors"])
    page.locator("#search").fill(fewest["id"])
    until(page, "table.rows.length === 1")
    page.get_by_role("button", name=fewest["id"]).click()
    assert "only the 10 utterances with the most errors have audio" in page.locator("td.detail").inner_text()
    assert page.locator("audio").count() == 0


def test_without_the_extra_the_page_says_why_there_is_no_picture(made: "Made", open_page: Open, tmp_path: Path) -> None:
    from dataclasses import replace

    bare = {place: replace(media, spectrogram=None) for place, media in made.gallery.media.items()}
    reason = "No spectrogram: it needs librosa; install the extra `report`."
    write_report(tmp_path, made.document, replace(made.gallery, media=bare, ticks=[], no_picture=reason))
    page = open_page(tmp_path / "index.html")
    page.locator("#utterances-body tbody button").first.click()
    assert page.locator("td.detail").get_by_text(reason).count() == 1
    assert page.locator(".stage image").count() == 0
    assert page.locator(".stage polygon").count() > 10


def test_the_page_works_with_the_keyboard(page: Any, until: Open) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the utterances"
    page.keyboard.press("Enter")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("s1-")
    until(page, "table.rows.length < 20")
    page.locator("#utterances-body thead button").first.focus()
    page.keyboard.press("Space")
    shown = ids(page)
    assert shown == sorted(shown)
    page.locator("#utterances-body tbody button").first.focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.locator("td.detail").count() == 1
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    page.keyboard.press("Enter")
    assert page.locator("td.detail").count() == 0


def test_everything_has_a_name_for_a_screen_reader(page: Any) -> None:
    page.locator("#utterances-body tbody button").first.click()
    nameless = page.evaluate(
        """[...document.querySelectorAll('button, input, select, a, audio, svg[role=img], [role=region], nav')].filter(
          (node) => !node.closest('[hidden]') && !(node.ariaLabel || node.textContent.trim() || node.labels?.length))
          .map((node) => node.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    assert page.locator("main").count() == page.locator("header").count() == 1
    assert all(
        page.locator("table").nth(n).locator("caption").count() == 1 for n in range(page.locator("table").count())
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(page: Any, scheme: str) -> None:
    """4.5 to 1 (WCAG 2.2, 1.4.3), computed from the colours in the browser."""
    page.emulate_media(color_scheme=scheme)
    pairs = [("body", "body"), (".soft", "body"), ("thead th", "thead th"), (".link", ".scroll")]
    pairs += [(f".legend .{kind}", f".legend .{kind}") for kind in ("sub", "del", "ins")]
    for text, back in pairs:
        colours = [
            page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).{name}")
            for selector, name in ((text, "color"), (back, "backgroundColor"))
        ]
        assert contrast(*colours) >= 4.5, (text, colours)


def contrast(first: str, second: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_a_link_opens_its_utterance(folder: Path, made: "Made", open_page: Open) -> None:
    last = made.document["utterances"][-1]["id"]
    page = open_page(folder / "index.html", f"#utterance={last}")
    assert page.locator("tr.open th").inner_text().strip("▾") == last
    assert page.locator("td.detail").count() == 1


def test_the_visible_utterances_can_be_saved(page: Any, made: "Made", until: Open) -> None:
    page.locator("#search").fill("s1-")
    until(page, "table.rows.length < 20")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save this list").click()
    rows = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    by_id = {utterance["id"]: utterance for utterance in made.document["utterances"]}
    assert len(rows) - 1 == sum(utterance["speaker"] == "s1" for utterance in by_id.values())
    for row in rows[1:]:
        cells = dict(zip(rows[0].split("\t"), row.split("\t"), strict=True))
        utterance = by_id[cells["id"]]
        assert (cells["hypothesis"], cells["errors"]) == (utterance["hypothesis"], str(utterance["words"]["errors"]))


def test_an_empty_utterance(made: "Made", open_page: Open, tmp_path: Path) -> None:
    """One utterance with empty texts, no speaker, and an id that needs escaping."""
    name = """<b>&"x" 'ü' #?% </script>"""
    document = copy.deepcopy(made.document)
    nothing = {"rate": None, "interval": None} | dict.fromkeys(
        ("errors", "substitutions", "deletions", "insertions", "reference"), 0
    )
    document["summary"] |= {"utterances": 1, "words": nothing, "characters": nothing}
    document["summary"]["sentences"] = {"rate": 0.0, "errors": 0, "total": 1}
    document |= {"parts": {key: [] for key in document["parts"]}, "word_errors": [], "word_errors_distinct": 0}
    empty = {"id": name, "speaker": None, "text": "", "reference": "", "hypothesis": "", "pairs": [], "recognised": []}
    document |= {"calibration": None, "utterances": [document["utterances"][0] | empty]}
    write_report(tmp_path, document, Gallery(0, {}, [], None))
    page = open_page(tmp_path / "index.html", f"#utterance={quote(name)}")
    assert page.locator("#utterances-body tbody th").first.inner_text() == f"▾{name}"
    assert page.locator("#utterances-body .text").inner_text() == "(empty reference and hypothesis)"
    assert page.get_by_text("No word errors.").count() == 1
    assert page.get_by_text("none: not requested (asr evaluate --media)").count() == 1
    assert page.locator("#summary-body .big").all_inner_texts() == ["–", "–", "0.00 %"]


def test_bars_narrow_the_table_and_widen_it_again(page: Any, made: "Made") -> None:
    utterances = made.document["utterances"]
    rates = [u["words"]["rate"] for u in utterances]
    perfect = page.get_by_role("button", name=re.compile(r"^WER 0 %: "))
    assert perfect.get_attribute("aria-label") == f"WER 0 %: {rates.count(0.0)} utterances"
    perfect.click()
    assert page.evaluate("table.rows.length") == rates.count(0.0)
    assert perfect.get_attribute("aria-pressed") == "true"
    some = page.get_by_role("button", name=re.compile(r"^WER above 10 to 20 %: "))
    some.click()  # instead of the other bar of this histogram
    expected = {u["id"] for u in utterances if 0.1 < u["words"]["rate"] <= 0.2}
    assert set(page.evaluate("table.rows.map(row => row.id)")) == expected
    page.locator(".histogram").nth(1).locator("button:not(:disabled)").last.click()  # and the longest of them
    longest = page.evaluate("table.rows.map(row => row.duration)")
    assert len(longest) == sum(u["id"] in expected and u["duration_s"] >= min(longest) for u in utterances)
    for _ in range(2):
        page.get_by_role("button", name="Remove the filter").first.click()
    assert page.evaluate("table.rows.length") == len(utterances)
    assert page.locator("[aria-pressed=true]").count() == 0


def test_every_utterance_is_in_one_bar_of_each_histogram(page: Any, made: "Made") -> None:
    for chart in page.locator(".histogram").all():
        labels = [bar.get_attribute("aria-label") for bar in chart.locator("button").all()]
        assert sum(int(re.findall(r": (\d+) utt", label)[0]) for label in labels) == len(made.document["utterances"])


def test_the_words_with_what_became_of_them(page: Any, made: "Made", until: Open) -> None:
    pairs = [pair for u in made.document["utterances"] for pair in u["pairs"]]
    region = page.get_by_role("region", name="Words that were said")
    word = next(pair[1] for pair in pairs if pair[0] == "deletion" and len(pair[1]) >= 4)
    page.get_by_label("Find a word").fill(word)
    until(page, "document.querySelectorAll('#words-body tbody tr').length === 1")
    said = [pair for pair in pairs if pair[1] == word]
    right = sum(kind == "hit" for kind, _, _ in said)
    cells = region.locator("tbody td").all_inner_texts()
    assert cells[:3] == [str(len(said)), str(right), str(len(said) - right)]
    assert cells[3] == f"{100 * right / len(said):.1f} %"
    became = [hypothesis or "deleted" for kind, _, hypothesis in said if kind != "hit"]
    assert sorted(cells[4].split(", ")) == sorted(f"{other} {became.count(other)}" for other in set(became))
    region.get_by_role("button", name=word, exact=True).click()
    spoken = [u for u in made.document["utterances"] if any(pair[1] == word for pair in u["pairs"])]
    assert page.evaluate("table.rows.length") == len(spoken)
    region.get_by_role("button", name="deleted").click()
    assert page.evaluate("table.rows.length") == sum(["deletion", word, None] in u["pairs"] for u in spoken)


@pytest.fixture(scope="module")
def printed(folder: Path, browser: Any) -> Any:
    """The page as it is while it is printed, and afterwards."""
    page = browser.new_page(viewport={"width": 700, "height": 1000})  # what A4 has between its margins
    page.goto((folder / "index.html").as_uri())
    page.keyboard.press("n")
    page.evaluate("narrowTo('word the', (row) => row.texts[0].includes('the'))")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    yield page
    page.close()


def test_all_rows_and_columns_are_printed(printed: Any, made: "Made") -> None:
    count = sum("the" in u["reference"] for u in made.document["utterances"])
    assert count > 25, "more than a page of the table"
    assert printed.locator("#utterances-body tbody tr").count() == count
    assert printed.locator("#filtered").inner_text() == f"{count} of 60 utterances: word the"
    assert printed.evaluate("document.documentElement.scrollWidth") <= 700
    wide = printed.evaluate(
        "[...document.querySelectorAll('td, th')].filter(cell => cell.getBoundingClientRect().right > 700).length"
    )
    assert wide == 0
    printed.evaluate("dispatchEvent(new Event('afterprint'))")
    assert printed.locator("#utterances-body tbody tr").count() == printed.evaluate("table.size") < count


ODD_WORDS = ("</script><script>alert(1)</script>", "<img/src=x/onerror=alert(1)>", "שלום", "\u202elive", "a" * 10_000)
ODD_WORDS += (
    "👩\u200d👩\u200d👧",
    "\x00",
    "\x1b[31m",
    "\u2066x",
    "{{data}}",
    "__proto__",
    "constructor",
    "&amp;",
    "<!--",
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports of two systems, and their comparison, with names and texts that could break a page."""
    folder = tmp_path_factory.mktemp("hostile")
    references = [" ".join(ODD_WORDS[(n + k) % len(ODD_WORDS)] for k in range(n % 7)) for n in range(60)]
    names = [f"{n} {ODD_WORDS[n % len(ODD_WORDS)]}" for n in range(60)]
    for system, step in (("a", 1), ("b", 2)):
        texts = [" ".join([*text.split()[::step], ODD_WORDS[n % 5]]) for n, text in enumerate(references)]
        scored = score(references, texts, ids=names, speakers=[ODD_WORDS[n % 14] for n in range(60)])
        details = [
            Details(
                ODD_WORDS[n % 5],
                text,
                duration_s=1.0 + n,
                words=(Word(ODD_WORDS[n % 9], 0.0, 0.5, 0.5),) * len(texts[n].split()),
            )
            for n, text in enumerate(references)
        ]
        document = build(
            scored,
            details,
            model={"name": ODD_WORDS[3 + step], "given": ODD_WORDS[0], "about": ODD_WORDS[4]},
            decoding=ODD_WORDS[0],
            normalisation={
                "name": "n",
                "description": "d",
                "alphabet": ODD_WORDS[4],
                "changed": 0,
                "unwritable": {"\0": 1},
            },
            speed={"duration_s": 60.0, "elapsed_s": 1.0, "real_time_factor": 1 / 60, "cores": 2},
            calibration=None,
            manifests={word: f"{word}.jsonl" for word in ODD_WORDS[:5]},
            origin={"made_with": "asr", "created": "2020-02-02", "command": ODD_WORDS[4]},
        )
        write_report(folder / system, document)
    one, other = systems.read_reports(folder / "a", folder / "b")
    pair = one, other
    write_comparison(systems.compare(*pair), pair, folder / "compared")
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1100, 1920])
@pytest.mark.parametrize("name", ["a", "compared"])
def test_hostile_texts_neither_run_nor_widen_the_page(
    hostile: Path, open_page: Open, name: str, width: int, scheme: str
) -> None:
    """`open_page` fails the test if anything is written to the console, or requested."""
    page = open_page(hostile / name / "index.html")
    page.on("dialog", lambda dialog: pytest.fail(f"a script of the texts ran: {dialog.message}"))
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("img").count() == 0
    if name == "a":
        page.keyboard.press("e")
        assert page.locator("td.detail").count() > 10
    for button in page.locator(".unclamp").all():
        button.evaluate("(node) => node.click()")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if width == 390:  # rows are cards, and nothing is to be scrolled sideways but the spectrograms
        scrolled = "[...document.querySelectorAll('.scroll')].filter((box) => box.scrollWidth > box.clientWidth).length"
        assert page.evaluate(scrolled) == 0


def test_long_texts_are_cut_until_asked_for(hostile: Path, open_page: Open) -> None:
    page = open_page(hostile / "a" / "index.html")
    row = page.locator("#utterances-body tbody tr", has=page.locator(".text .unclamp")).first
    before = row.bounding_box()["height"]
    button = row.locator(".text .unclamp")
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    assert row.bounding_box()["height"] > 2 * before
    assert "a" * 10_000 in row.locator(".text").inner_text()
    page.keyboard.press("Enter")
    assert row.bounding_box()["height"] == before
    assert before < 400


def test_5000_utterances(make_report: Callable[..., "Made"], open_page: Open, tmp_path: Path) -> None:
    """Only one page of rows is in the document; times are printed (`pytest -rP`) because machines differ."""
    made = make_report(5_000, media=5, words=10)
    write_report(tmp_path, made.document, made.gallery)
    started = time.monotonic()
    page = open_page(tmp_path / "index.html")
    loaded_s = time.monotonic() - started
    milliseconds = page.evaluate(
        "() => { const t = performance.now(); byId('search').value = 'was his'; refresh();"
        " return performance.now() - t; }"
    )
    num_matches = sum("was his" in f"{u['reference']}\n{u['hypothesis']}" for u in made.document["utterances"])
    assert page.evaluate("table.rows.length") == num_matches
    assert page.locator("#utterances-body tbody tr").count() == 25
    size = (tmp_path / "index.html").stat().st_size
    print(f"5,000 utterances: {size / 1e6:.1f} MB, loaded in {loaded_s:.2f} s, searched in {milliseconds:.0f} ms")
