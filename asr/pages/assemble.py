"""Assemble one HTML file that contains its data, style and script, and opens from disk without a network."""

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGES = Path(__file__).parent


def assemble(name: str, title: str, data: Mapping[str, Any]) -> str:
    """Fill the template `name`.html with its script, the shared style and script, and the objects in `data`."""
    parts = {
        "title": html.escape(title),
        "style": (PAGES / "style.css").read_text(encoding="utf-8"),
        "script": "".join((PAGES / f"{script}.js").read_text(encoding="utf-8") for script in ("shared", name)),
        **{key: embed(value) for key, value in data.items()},
    }
    template = (PAGES / f"{name}.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def embed(value: object) -> str:
    """JSON that cannot close the script element that contains it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
