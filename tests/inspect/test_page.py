"""The page in a real browser: its numbers, and its use with mouse, keyboard, phone and screen reader."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asr import audio, models
from asr.cells import GATES
from asr.inspect import page
from asr.inspect.inspection import Inspection, inspect
from asr.models.session import OnnxModel
from asr.network.torch_model import TorchModel
from asr.transcription.transcriber import Transcriber

Open = Callable[..., Any]
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
READY = "document.documentElement.dataset.ready === 'true'"


@pytest.fixture
def opened(toy: TorchModel, inspected: Callable[..., Inspection], tmp_path: Path, open_page: Open, until: Open) -> Any:
    """The page of a toy, and what is on it."""
    found = inspected(toy)
    path = tmp_path / "page.html"
    path.write_text(page.build(found, "enter <b>.wav"), encoding="utf-8")
    shown = open_page(path)
    until(shown, READY)
    return shown, found


@pytest.fixture(scope="module")
def spelled() -> Inspection:
    """A trained model that spells a name."""
    path = models.find("an4")
    waveform = audio.load(EXAMPLES / "pittsburgh.wav", 16_000)
    return inspect(path, Transcriber(OnnxModel(path, threads=1)), waveform)


@pytest.fixture
def spelling(spelled: Inspection, tmp_path: Path, open_page: Open, until: Open) -> Any:
    path = tmp_path / "page.html"
    path.write_text(page.build(spelled, "pittsburgh.wav"), encoding="utf-8")
    shown = open_page(path)
    until(shown, READY)
    return shown


def test_every_gate_of_every_cell_is_shown_with_its_value(opened: Any, toy: TorchModel) -> None:
    shown, found = opened
    kind = toy.network.config.context.cell
    titles = shown.locator("#memory-body h3").all_inner_texts()
    assert len(titles) == len(GATES[kind]) + 1
    assert ("Reset" in " ".join(titles)) == (kind == "gru")
    assert ("one valve for both" in " ".join(titles)) == ("coupled" in kind)
    assert ("peephole" in shown.locator("#memory-body").inner_text()) == ("peephole" in kind)
    for layer in (0, 1):
        for side in (0, 1):
            shown.get_by_role("combobox", name="Layer").select_option(str(layer))
            shown.get_by_role("combobox", name="Direction").select_option(str(side))
            ran = found.trace.cells[layer][side]
            for name, values in ran.gates.items():
                read = shown.evaluate(
                    "(name) => Array.from({length: model.hidden}, (_, cell) => valueOf(name, cell, 17))", name
                )
                np.testing.assert_allclose(read, values[17], atol=1.01 / 63)
            states = shown.evaluate("Array.from({length: model.hidden}, (_, cell) => stateOf(cell, 17))")
            largest = np.abs(ran.state).max(axis=0)
            np.testing.assert_allclose(states, ran.state[17], atol=(largest / 100).max())
            outputs = shown.evaluate("Array.from({length: model.hidden}, (_, cell) => outputOf(cell, 17))")
            np.testing.assert_allclose(outputs, ran.output[17], atol=0.06)


def test_names_are_shown_as_text(opened: Any) -> None:
    shown, _ = opened
    assert shown.locator("h1").inner_text().endswith(": enter <b>.wav")
    assert shown.locator("h1 b").count() == 0


def test_the_page_is_one_small_file(spelled: Inspection, inspected: Callable[..., Inspection]) -> None:
    text = page.build(spelled, "pittsburgh.wav")
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert re.findall(r"https?://[\w./]+", text) == ["http://www.w3.org/2000/svg"]
    assert len(text.encode()) * 5 / spelled.duration_s < 3e6


def test_cells_are_sorted_and_found_by_what_they_do(spelling: Any, spelled: Inspection, until: Open) -> None:
    behaviour = spelled.behaviours[0][0]
    expected = np.argsort(-np.round(behaviour.memory_ms), kind="stable")
    assert spelling.evaluate("order") == expected.tolist()
    spelling.get_by_role("combobox", name="Cells, from top to bottom").select_option("loudness.input:1")
    first = spelling.evaluate("order[0]")
    assert behaviour.loudness["input"][first] == pytest.approx(behaviour.loudness["input"].min(), abs=0.01)
    spelling.locator("#search").fill("input gate opens at silence")
    found = [cell for cell, words in enumerate(behaviour.words) if "input gate opens at silence" in words]
    assert sorted(spelling.evaluate("order")) == found
    assert found
    assert spelling.locator("#found").inner_text() == f"{len(found)} of 256 cells"
    assert spelling.locator("#cell-table tbody tr").count() == min(8, len(found))
    assert "opens at silence" in spelling.locator("#cell-say").inner_text()
    spelling.locator("#search").fill("no such deed")
    assert spelling.locator("#found").inner_text() == "0 of 256 cells"
    assert spelling.locator("#cell-say").inner_text() == "No cell is chosen."


def test_a_letter_says_which_sound_made_it(spelling: Any, spelled: Inspection) -> None:
    letters = spelling.get_by_role("list", name="Letters in order").get_by_role("button")
    assert letters.all_inner_texts() == [letter.text for letter in spelled.letters]
    place = 6
    letters.nth(place).hover()
    letter = spelled.letters[place]
    peak_s = spelled.centre_s + letter.connectivity.argmax() * spelled.feature_shift_s
    said = spelling.locator("#verdict").inner_text()
    assert said.startswith(f"“{letter.text}” at ")
    told_s = float(re.search(r"by the sound at ([\d.]+) s", said)[1])  # pyright: ignore[reportOptionalSubscript]
    assert told_s == pytest.approx(peak_s, abs=0.011)
    assert letters.nth(place).get_attribute("aria-pressed") == "true"
    read = spelling.evaluate(
        f"(() => {{ const curve = array('over_time'), n = curve.shape[1]; "
        f"return Array.from({{length: n}}, (_, k) => curve.share({place} * n + k)); }})()"
    )
    np.testing.assert_allclose(read, letter.connectivity / letter.connectivity.max(), atol=1 / 127)


def test_one_cursor_for_all(spelling: Any, spelled: Inspection) -> None:
    canvas = spelling.locator("#sound-body canvas").first
    box = canvas.bounding_box()
    canvas.click(position={"x": 46 + (box["width"] - 46) / 2, "y": 20})
    view = spelling.evaluate("view")
    middle_s = (view["from"] + view["to"]) / 2
    assert spelling.evaluate("now") == pytest.approx(middle_s, abs=0.01)
    lefts = spelling.evaluate("[...document.querySelectorAll('.cursor')].map(c => c.getBoundingClientRect().left)")
    assert len(lefts) > 12
    assert max(lefts) - min(lefts) < 1
    assert lefts[0] == pytest.approx(box["x"] + 46 + (box["width"] - 46) / 2, abs=2)
    assert float(spelling.locator("#time").input_value()) == pytest.approx(middle_s, abs=0.02)


def test_the_keyboard_moves_zooms_and_chooses(spelling: Any, spelled: Inspection) -> None:
    spelling.keyboard.press("ArrowRight")
    spelling.keyboard.press("ArrowRight")
    assert spelling.evaluate("now") == pytest.approx(0.08)
    whole = spelling.evaluate("view.to - view.from")
    spelling.keyboard.press("+")
    assert spelling.evaluate("view.to - view.from") == pytest.approx(whole / 1.6)
    spelling.keyboard.press("0")
    assert spelling.evaluate("[view.from, view.to]") == pytest.approx([0, spelled.duration_s])
    first = spelling.evaluate("chosen.cell")
    spelling.keyboard.press("j")
    assert spelling.evaluate("chosen.cell") == spelling.evaluate("order[1]") != first
    spelling.keyboard.press("n")
    assert spelling.evaluate("chosen.letter") == 1
    spelling.keyboard.press("/")
    assert spelling.evaluate("document.activeElement.id") == "search"


def test_the_sound_plays(spelling: Any, until: Open) -> None:
    spelling.evaluate("audio.playbackRate = 0.1")  # it is over soon, and a busy machine slow
    spelling.get_by_role("button", name="Play").click()
    until(spelling, "now > 0.15")
    spelling.get_by_role("button", name="Pause").click()
    until(spelling, "audio.paused")
    assert "s" in spelling.locator("#now").inner_text()


def test_pictures_have_descriptions(spelling: Any) -> None:
    labels = [canvas.get_attribute("aria-label") for canvas in spelling.locator("canvas:not([aria-hidden])").all()]
    assert len(labels) >= 12
    assert all(labels)
    assert len(set(labels)) == len(labels)
    assert spelling.locator("canvas[aria-hidden]").count() == 7  # the axes


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_both_schemes(spelling: Any, scheme: str) -> None:
    spelling.emulate_media(color_scheme=scheme)
    spelling.set_viewport_size({"width": 390, "height": 844})
    spelling.wait_for_timeout(100)
    assert spelling.evaluate("document.documentElement.scrollWidth") == 390
    colour = spelling.evaluate(
        "(() => { const c = document.querySelector('#cells-body canvas'); "
        "return [...c.getContext('2d').getImageData(c.width - 3, 20, 1, 1).data.slice(0, 3)]; })()"
    )
    assert (np.mean(colour) > 128) == (scheme == "light")
