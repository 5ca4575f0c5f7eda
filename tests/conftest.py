"""A trained toy, the smoke recipe on its corpus of tones, a few seconds of training; and a browser."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# A busy thread pool beside another one slows torch a hundredfold on few cores; sleeping threads do not.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Ignored in the background of a shell, which the programs that are started here inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
CACHE = tempfile.TemporaryDirectory(prefix="asr-cache-")
"""In the place of the user's own, which toys should not fill."""
os.environ["XDG_CACHE_HOME"] = CACHE.name

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def smoke_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the smoke corpus: train.jsonl, dev.jsonl and audio/."""
    out = tmp_path_factory.mktemp("smoke")
    subprocess.run([sys.executable, ROOT / "scripts" / "smoke_corpus.py", out], check=True)
    return out


@pytest.fixture(scope="session")
def smoke_overrides(smoke_corpus: Path) -> list[str]:
    """KEY=VALUE arguments that point recipes/smoke.yaml at the corpus."""
    return [f"data.train=[{smoke_corpus}/train.jsonl]", f"data.dev=[{smoke_corpus}/dev.jsonl]"]


@pytest.fixture(scope="session")
def smoke_run(smoke_overrides: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of `asr train recipes/smoke.yaml`, run as a user runs it."""
    run_dir = tmp_path_factory.mktemp("runs") / "smoke"
    command = [sys.executable, "-m", "asr", "train", ROOT / "recipes" / "smoke.yaml", *smoke_overrides]
    done = subprocess.run([*command, "--run-dir", run_dir], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (run_dir / "printed.txt").write_text(done.stdout, encoding="utf-8")
    return run_dir


@pytest.fixture(scope="session")
def smoke_model(smoke_run: Path) -> Path:
    """The toy as an .onnx file."""
    path = smoke_run.parent / "smoke.onnx"
    command = [sys.executable, "-m", "asr", "export", smoke_run, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return path


class Opened:
    """A page in the browser, with its console messages, errors and external requests."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.problems: list[str] = []
        page.on("console", lambda message: self.problems.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self._request(request.url))

    def _request(self, url: str) -> None:
        if not url.startswith(("file:", "blob:", "data:")):
            self.problems.append(f"a request to {url}")


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Any]]:
    """Start headless Chromium with more flags, if any."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the extra `dev`)")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        yield lambda *flags: playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", *flags])


@pytest.fixture(scope="session")
def browser(launch: Callable[..., Any]) -> Iterator[Any]:
    """Headless Chromium."""
    running = launch()
    yield running
    running.close()


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait until a JavaScript expression is true; Playwright's own function violates the page's security policy."""

    def wait(page: Any, expression: str) -> None:
        deadline = time.monotonic() + 30
        while not page.evaluate(expression):
            assert time.monotonic() < deadline, f"timed out: {expression}"
            page.wait_for_timeout(100)

    return wait


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a file offline; at the end of the test, it must have caused no errors and no requests."""
    opened = []

    def start(path: Path, fragment: str = "") -> Any:
        context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900})
        opened.append((context, Opened(context.new_page())))
        page = opened[-1][1].page
        page.set_default_timeout(30_000)
        page.goto(f"{path.as_uri()}{fragment}")
        return page

    yield start
    problems = [problem for _, page in opened for problem in page.problems]
    for context, _ in opened:
        context.close()
    assert not problems
