#!/usr/bin/env python3
"""Take the README's picture of a report page, as a small PNG.

python scripts/page_picture.py REPORT [OUT]

REPORT is a folder that `asr evaluate -o` wrote, OUT docs/report.png by default. Needs Playwright (the extra `dev`),
Pillow, and Chromium. The picture shows the summary and the first utterances; what is between them is left out.
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1100, 1240
COLOURS = 64
LEFT_OUT = "#parts, #errors, #words, #confidence, .keys, #save { display: none; } .contents { position: static; }"
"""A style that leaves out the sections in the middle."""


def take(page_file: Path) -> bytes:
    """A screenshot of the page in its light colours."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(page_file.resolve().as_uri())
        page.add_style_tag(content=LEFT_OUT)
        picture = page.screenshot()
        browser.close()
    return picture


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    out = Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).resolve().parents[1] / "docs" / "report.png"
    with Image.open(io.BytesIO(take(Path(sys.argv[1]) / "index.html"))) as picture:
        picture.convert("RGB").quantize(COLOURS).save(out, optimize=True)
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
