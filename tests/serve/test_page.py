"""The page in a real browser, against the real program: files, the microphone, and the model in the browser."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import asr
from asr.pages import onnxruntime_web

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the extra `dev`)")
expect = sync_api.expect
needs_runtime = pytest.mark.skipif(
    not onnxruntime_web.is_installed(), reason="run scripts/fetch_onnxruntime_web to let models run in the browser"
)

ROOT = Path(__file__).resolve().parents[2]
ENTER = ROOT / "examples" / "enter.wav"
SPOKEN = "enter two nine eight one"
WRITTEN = "Enter two nine eight one."
WAIT_MS = 60_000

Open = Callable[..., Any]


@contextmanager
def serving(*options: str, **environment: str) -> Iterator[str]:
    """Run `asr serve`; yields its address."""
    command = [sys.executable, "-m", "asr", "serve", "--port", "0", "-m", "an4", "--workers", "1", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | environment) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[2].rstrip(";")
        log = threading.Thread(target=process.stderr.read)  # a full pipe would stop the server
        log.start()
        end = time.monotonic() + 120
        while True:
            assert time.monotonic() < end
            try:
                with urllib.request.urlopen(f"{url}/health"):
                    break
            except (urllib.error.HTTPError, urllib.error.URLError):
                time.sleep(0.05)
        yield url
        process.terminate()
        log.join()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving("--max-upload", "1") as address:
        yield address


@pytest.fixture(scope="module")
def talking(launch: Open, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium with a microphone into which one sentence is spoken, a second after a page has opened it."""
    recording = tmp_path_factory.mktemp("microphone") / "enter.wav"
    soundfile.write(recording, np.r_[np.zeros(16_000), soundfile.read(ENTER)[0]], 16_000)
    microphone = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    running = launch(*microphone, f"--use-file-for-fake-audio-capture={recording}%noloop")
    yield running
    running.close()


@pytest.fixture
def open_at(talking: Any) -> Iterator[Open]:
    """Open the page of a server. It must cause no error and ask no other server for anything."""
    contexts, problems = [], []

    def start(address: str, allowed: str = "", **options: Any) -> Any:
        context = talking.new_context(**({"viewport": {"width": 1000, "height": 900}} | options))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("console", lambda message: note(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: None if is_own(request.url) else problems.append(request.url))

        def is_own(requested: str) -> bool:
            return requested.startswith((f"{address}/", "blob:", "data:"))

        def note(text: str) -> None:
            if not (allowed and allowed in text):
                problems.append(text)

        page.goto(address)
        return page

    yield start
    for context in contexts:
        context.close()
    assert not problems


@pytest.fixture
def page(open_at: Open, url: str) -> Any:
    shown = open_at(url)
    expect(shown.locator("#choose")).to_be_enabled()
    return shown


def choose(page: Any, file: Any = ENTER) -> None:
    expect(page.locator("#choose")).to_be_enabled(timeout=WAIT_MS)
    page.locator("#file").set_input_files(file)


def transcribe(page: Any, file: Any = ENTER) -> None:
    choose(page, file)
    expect(page.locator("#status")).to_have_text("Done: 5 words in 0:01.", timeout=WAIT_MS)


def speak(page: Any) -> None:
    """Speak the sentence. On a machine that is busy, sound may be lost between Chromium's processes: then again."""
    for attempt in range(5):
        page.get_by_role("button", name="Speak").click()
        expect(page.get_by_role("button", name="Stop")).to_be_enabled(timeout=WAIT_MS)
        try:
            expect(page.locator("#words")).to_contain_text(SPOKEN, timeout=15_000)
        except AssertionError:
            if attempt == 4:
                raise
            page.get_by_role("button", name="Stop").click()
            expect(page.locator("#status")).to_contain_text("Done", timeout=WAIT_MS)
        else:
            return


def hear(page: Any, place: int) -> str:
    """Press a word; returns the one that is marked when the player has gone there. It does not go on from there."""
    page.evaluate("() => { document.querySelector('#audio').play = async () => {}; }")
    page.locator("#words button").nth(place).click()
    return page.locator("#words .now").inner_text()


def saved(page: Any, format: str) -> tuple[str, str]:
    """Name and content of a download."""
    with page.expect_download() as caught:
        page.locator(f"[data-format={format}]").click()
    return caught.value.suggested_filename, caught.value.path().read_text(encoding="utf-8")


def all_words(page: Any) -> list[str]:
    return page.locator("#words button").all_inner_texts()


def test_a_file(page: Any, until: Callable[..., None]) -> None:
    transcribe(page)
    assert all_words(page) == WRITTEN.split()
    expect(page.locator("#spoken")).to_have_text(WRITTEN)  # for screen readers
    assert page.evaluate(
        "document.querySelector('#waveform').getContext('2d').getImageData(0, 0, 300, 60).data.some(v => v)"
    )
    assert hear(page, 3) == "eight"
    page.reload()
    transcribe(page)
    page.locator("#words button").nth(3).click()
    until(page, "document.querySelector('#audio').ended")


@pytest.mark.parametrize("format", ["txt", "srt", "vtt", "json"])
def test_downloads_are_what_the_library_writes(page: Any, format: str) -> None:
    transcribe(page)
    name, content = saved(page, format)
    expected = asr.load("an4").transcribe(ENTER).to(format)
    assert name == f"enter.{format}"
    if format == "json":
        assert json.loads(content) == json.loads(expected) | {"source": "enter"}
    else:
        assert content == expected


def test_hot_words(open_at: Open, url: str) -> None:
    page = open_at(url, "status of 400")
    page.get_by_label("Hot words").fill("to, 7")
    choose(page)
    expect(page.get_by_role("alert")).to_contain_text("hot word '7' cannot be written", timeout=WAIT_MS)
    page.get_by_label("Hot words").fill("to")
    transcribe(page)
    assert "to" in all_words(page)


def test_uncertain_words_are_marked(page: Any) -> None:
    answer = 'data: {"type":"transcript.text.done","duration_s":1.8,"words":[%s]}\n\ndata: [DONE]\n\n'
    words = '{"text":"%s","start_s":%s,"end_s":%s,"confidence":%s}'
    body = answer % ",".join(
        words % word for word in [("sure", 0, 0.2, 0.9), ("<b>", 0.3, 0.5, 0.4), ("late", 1.5, 1.7, 0.8)]
    )
    page.route("**/transcriptions", lambda route: route.fulfill(body=body, content_type="text/event-stream"))
    choose(page)
    expect(page.locator("#status")).to_have_text("Done: 3 words in 0:01.", timeout=WAIT_MS)
    assert page.locator("#words .unsure").all_inner_texts() == ["<b>"]
    expect(page.get_by_role("button", name="<b> (uncertain)")).to_be_visible()
    assert page.locator(".phrase").count() == 2  # a pause of a second


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nonsense.wav", b"nonsense" * 500, "The file is not an audio file, or is damaged"),
        ("big.wav", bytes(2**20 + 1), "larger than 1 MiB"),
    ],
)
def test_what_the_server_refuses(open_at: Open, url: str, name: str, content: bytes, message: str) -> None:
    page = open_at(url, "status of 4")
    choose(page, {"name": name, "mimeType": "audio/wav", "buffer": content})
    expect(page.get_by_role("alert")).to_contain_text(message, timeout=WAIT_MS)
    transcribe(page)
    expect(page.get_by_role("alert")).to_be_empty()


def test_an_empty_file(page: Any) -> None:
    choose(page, {"name": "empty.wav", "mimeType": "audio/wav", "buffer": b""})
    expect(page.get_by_role("alert")).to_have_text("The file is empty.")


def test_a_server_that_is_gone(open_at: Open, url: str) -> None:
    page = open_at(url, "ERR_INTERNET_DISCONNECTED")
    expect(page.locator("#choose")).to_be_enabled()
    page.context.set_offline(True)
    for act in (lambda: choose(page), page.get_by_role("button", name="Speak").click):
        act()
        expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached", timeout=WAIT_MS)
        expect(page.locator("#choose")).to_be_enabled()


def test_the_microphone(page: Any) -> None:
    page.evaluate(
        """() => { // the text of everything that was tentative at some time
            window.tentative = new Set();
            const note = () => document.querySelectorAll(".tentative").forEach((node) => {
                if (getComputedStyle(node).fontStyle === "italic") window.tentative.add(node.textContent);
            });
            new MutationObserver(note).observe(document.querySelector("#words"), { childList: true, subtree: true });
        }"""
    )
    speak(page)
    assert page.evaluate("window.tentative.size") > 0
    expect(page.locator("#choose")).to_be_disabled()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_contain_text("Done: 5 words", timeout=WAIT_MS)
    assert all_words(page) == SPOKEN.split()
    expect(page.locator("#spoken")).to_have_text(SPOKEN)
    assert hear(page, 3) == "eight"
    name, content = saved(page, "txt")
    assert name.startswith("recording-20")
    assert content == f"{SPOKEN}\n"


def test_without_a_microphone(page: Any) -> None:
    page.evaluate(
        "() => { const no = async () => { throw new DOMException('', 'NotAllowedError'); };"
        "navigator.mediaDevices.getUserMedia = no; }"
    )
    page.get_by_role("button", name="Speak").click()
    expect(page.get_by_role("alert")).to_contain_text("may not use the microphone: allow it", timeout=WAIT_MS)
    expect(page.get_by_role("button", name="Speak")).to_be_enabled()


def test_the_key(open_at: Open) -> None:
    with serving(ASR_API_KEY="secret") as address:
        page = open_at(address, "status of 401")
        expect(page.get_by_label("API key")).to_be_visible()
        page.locator("#file").set_input_files(ENTER)
        expect(page.locator("#status")).to_contain_text("waits for the connection")
        for key in ("guess", "secret"):
            page.get_by_label("API key").fill(key)
            page.keyboard.press("Enter")
            expect(page.locator("#trouble")).to_contain_text("missing or wrong" if key == "guess" else "")
        expect(page.get_by_label("API key")).to_be_hidden()
        expect(page.locator("#status")).to_have_text("Done: 5 words in 0:01.", timeout=WAIT_MS)
        speak(page)
        for path in ("page/settings.json", "page/model.onnx"):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(f"{address}/{path}")


def test_keyboard_alone(page: Any, until: Callable[..., None]) -> None:
    seen = []
    for _ in range(4):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert seen == ["skip", "speak", "choose", "hot"]
    transcribe(page)
    page.locator("[data-format=json]").focus()
    page.keyboard.press("Tab")
    for key in ("ArrowRight", "ArrowRight", "End", "ArrowLeft"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.textContent") == "eight"
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#audio').ended")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone(open_at: Open, url: str, scheme: str) -> None:
    page = open_at(url, viewport={"width": 360, "height": 700}, color_scheme=scheme, has_touch=True)
    transcribe(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    heights = "[...document.querySelectorAll('main > section > div:not(#words) button')].map((b) => b.offsetHeight)"
    assert all(height == 0 or height >= 44 for height in page.evaluate(heights))  # for fingers
    assert contrast(page, "body") > 7
    assert min(contrast(page, where) for where in ("#about", "#speak", "#words button", "#device-about")) >= 4.5


def test_on_a_phone_the_words_stay_in_view(open_at: Open, url: str) -> None:
    page = open_at(url, viewport={"width": 360, "height": 640})
    speak(page)
    stop = page.get_by_role("button", name="Stop").bounding_box()
    last = page.locator("#words button").last.bounding_box()
    assert 0 < last["y"] < last["y"] + last["height"] <= stop["y"] < stop["y"] + stop["height"] <= 640


def contrast(page: Any, selector: str) -> float:
    """The contrast of a text with what is behind it (WCAG 2.2)."""
    script = """(selector) => {
        const node = document.querySelector(selector);
        let behind = node;
        while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
        const colours = [getComputedStyle(node).color, getComputedStyle(behind).backgroundColor];
        return colours.map((colour) => colour.match(/\\d+/g).map(Number));
    }"""

    def luminance(colour: list[int]) -> float:
        linear = [v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in colour[:3]]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted(map(luminance, page.evaluate(script, selector)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_it_loads_nothing_but_what_the_server_has(url: str) -> None:
    with urllib.request.urlopen(url) as answer:
        policy, content, tag = answer.headers["Content-Security-Policy"], answer.read().decode(), answer.headers["ETag"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "://" not in content
    request = urllib.request.Request(url, headers={"If-None-Match": tag})
    with pytest.raises(urllib.error.HTTPError, match="304"):
        urllib.request.urlopen(request)
    for path in ("page/../app.py", "page/nothing.js", "page/%2e%2e%2fapp.py"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{url}/{path}")


@needs_runtime
def test_a_file_on_this_device(page: Any, tmp_path: Path) -> None:
    """The words are those of the library with greedy decoding, also of a recording of several windows."""
    samples = soundfile.read(ENTER, dtype="float32")[0]
    long = np.concatenate([samples, np.zeros(8_000, np.float32)] * 20)
    soundfile.write(tmp_path / "long.wav", long, 16_000)
    page.get_by_label("On this device").check()
    transcribe(page)
    assert all_words(page) == SPOKEN.split()
    page.get_by_label("Hot words").fill("To, 7")
    choose(page)
    expect(page.get_by_role("alert")).to_contain_text("hot word '7' cannot be written", timeout=WAIT_MS)
    page.get_by_label("Hot words").fill("To")
    transcribe(page)
    assert all_words(page) == asr.load("an4", plain=True, hot_words=["to"]).transcribe(ENTER).text.split()
    assert "to" in all_words(page)
    page.get_by_label("Hot words").fill("")
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    choose(page, tmp_path / "long.wav")
    expect(page.locator("#status")).to_contain_text("in 0:46", timeout=WAIT_MS)
    expected = asr.load("an4", beam=0, plain=True).transcribe(tmp_path / "long.wav")
    assert all_words(page) == expected.text.split()
    found = json.loads(saved(page, "json")[1])["words"]
    assert [word["start_s"] for word in found] == [round(word.start_s, 3) for word in expected.words]
    assert [word["confidence"] for word in found] == pytest.approx(
        [word.confidence for word in expected.words], abs=0.01
    )
    assert [address for address in requests if not address.startswith("blob:")] == []


@needs_runtime
def test_a_file_on_this_device_can_be_cancelled(page: Any, tmp_path: Path) -> None:
    samples = soundfile.read(ENTER, dtype="float32")[0]
    soundfile.write(tmp_path / "long.wav", np.tile(samples, 200), 16_000)
    page.get_by_label("On this device").check()
    choose(page, tmp_path / "long.wav")
    expect(page.locator("#status")).to_contain_text("Transcribed", timeout=WAIT_MS)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#status")).to_have_text("Cancelled.")
    assert len(all_words(page)) < 800
    transcribe(page)
    assert all_words(page) == SPOKEN.split()


@needs_runtime
def test_the_microphone_on_this_device(page: Any) -> None:
    page.get_by_label("On this device").check()
    sockets = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    speak(page)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_contain_text("Done: 5 words", timeout=WAIT_MS)
    assert not sockets
    transcribe(page)  # the model is kept


def test_the_page_says_that_the_browser_searches_by_letters(open_at: Open, url: str) -> None:
    settings = json.loads(urllib.request.urlopen(f"{url}/page/settings.json").read()) | {"runs_in_browser": True}
    page = open_at(url)
    page.route("**/page/settings.json", lambda route: route.fulfill(json=settings))
    for is_by_phones in (False, True):
        settings["is_by_phones"] = is_by_phones
        page.reload()
        expect(page.locator("#device-about")).to_contain_text("The sound never leaves this browser")
        assert ("finds words by their letters" in page.locator("#device-about").inner_text()) == is_by_phones


def test_without_the_runtime_the_page_says_what_to_do(open_at: Open, url: str) -> None:
    settings = json.loads(urllib.request.urlopen(f"{url}/page/settings.json").read()) | {"runs_in_browser": False}
    page = open_at(url)
    page.route("**/page/settings.json", lambda route: route.fulfill(json=settings))
    page.reload()
    expect(page.locator("#device-about")).to_contain_text("scripts/fetch_onnxruntime_web")
    expect(page.get_by_label("On this device")).to_be_disabled()
