"""Imports point one way, heavy packages stay behind their doors, and transcription runs without PyTorch."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from asr.cli import COMMANDS

PACKAGE = Path(__file__).resolve().parents[1] / "asr"
SOURCES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))

LAYERS = (
    {"compiled", "errors", "files", "pages", "parallel", "progress", "version"},
    {"audio", "cells", "text", "transcript"},
    {"recipe", "scoring", "data", "models"},
    {"readable"},
    {"lm", "network"},
    {"pronunciation"},
    {"decoding"},
    {"transcription"},
    {"bulk", "evaluation", "inspect", "serve"},
    {"report"},
    {"export"},
    {"training"},
    {"cli"},
    {"__main__"},
)
"""From the bottom up. A module imports from lower layers and from its own package, never from a neighbour."""
RANK = {part: index for index, layer in enumerate(LAYERS) for part in layer}

DOORS = {
    "torch": ("network/", "training/", "export/"),
    "torchaudio": ("network/", "training/"),
    "lhotse": ("training/data/",),
    "lightning_fabric": ("training/",),
    "safetensors": ("training/",),
    "onnx": ("export/",),
    "onnxruntime": ("models/session.py",),
    "numba": ("compiled.py", "network/kernels/activations.py", "network/kernels/tiles.py"),
    "llvmlite": ("network/kernels/tiles.py",),
    "click": ("cli/",),
    "librosa": ("report/media.py",),
    "google": ("models/rewrite.py", "models/graph.py"),
    "matplotlib": ("report/", "training/"),
    "PIL": ("report/media.py",),
    "jiwer": ("scoring/alignment.py",),
    "sentencepiece": ("text.py",),
    "soundfile": ("audio/",),
    "soxr": ("audio/",),
    "av": ("audio/",),
    "sounddevice": ("audio/microphone.py",),
    "fsspec": ("bulk/store.py", "training/data/shar.py"),
    "ray": ("bulk/ray_cluster.py",),
    "starlette": ("serve/",),
    "prometheus_client": ("serve/",),
    "uvicorn": ("cli/serve.py",),
}
"""Package -> the room of asr that may import it."""

HEAVY = DOORS.keys() | {"numpy", "pydantic", "rich", "yaml"}
"""What takes a noticeable time to import."""


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below, functions included, but for what stands under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            assert isinstance(child, ast.If)
            for other in child.orelse:
                yield from (other, *executed(other))
            continue
        yield child
        yield from executed(child)


def imports(source: Path) -> set[str]:
    """Dotted names of what a file imports, anywhere in it; `from asr import text` counts as `asr.text`."""
    names: set[str] = set()
    for node in executed(ast.parse((PACKAGE / source).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"asr/{source}: relative import; write it from `asr` on"
            assert node.module is not None
            names |= {f"asr.{alias.name}" for alias in node.names} if node.module == "asr" else {node.module}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
            names.add(ast.unparse(node.args[0]).strip("f'\""))
    return names


def part(source: Path) -> str:
    """The package or module of asr that a file belongs to."""
    return source.parts[0].removesuffix(".py")


def objection(user: str, used: str) -> str | None:
    """Why the part `user` must not import the part `used` (None: it may). "" is `asr` itself."""
    if user in ("__init__", used):
        return None
    if used == "":
        return None if user == "cli" else "only the command line imports `asr` itself"
    return None if RANK[used] < RANK[user] else "imports point downwards"


def test_every_part_has_its_layer() -> None:
    assert {part(source) for source in SOURCES} - {"__init__"} == RANK.keys()


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_imports_point_one_way(source: Path) -> None:
    wrong = []
    for name in sorted(imports(source)):
        package, _, rest = name.partition(".")
        if package == "asr" and (reason := objection(part(source), rest.partition(".")[0])):
            wrong.append(f"asr/{source} imports {name}: {reason}")
    assert not wrong, "; ".join(wrong)


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_heavy_packages_stay_behind_their_doors(source: Path) -> None:
    name = source.as_posix()
    packages = {dotted.partition(".")[0] for dotted in imports(source)}
    wrong = sorted(package for package in packages & DOORS.keys() if not name.startswith(DOORS[package]))
    assert not wrong, f"asr/{name} must not import {', '.join(wrong)}"


@pytest.mark.parametrize(
    "source", [source for source in SOURCES if part(source) in {"lm", "models", "decoding", "transcription"}], ids=str
)
def test_what_transcribes_knows_neither_manifests_nor_scores(source: Path) -> None:
    assert not [name for name in imports(source) if name.startswith(("asr.data", "asr.scoring"))]


def test_no_modules_import_each_other() -> None:
    """Nor in a larger circle; imports for the type checker count."""
    names = {".".join(["asr", *source.with_suffix("").parts]).removesuffix(".__init__"): source for source in SOURCES}
    graph: dict[str, set[str]] = {}
    for name, source in names.items():
        graph[name] = set()
        for node in ast.walk(ast.parse((PACKAGE / source).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                used = {f"{node.module}.{alias.name}" for alias in node.names}
                graph[name] |= {module if module in names else node.module for module in used} & names.keys()
            elif isinstance(node, ast.Import):
                graph[name] |= {alias.name for alias in node.names} & names.keys()
    graph["asr"] = set()  # `import asr` itself is the public door, which only the command line uses
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize(
    ("user", "used"),
    [
        ("text", "audio"),
        ("errors", "files"),
        ("scoring", "data"),
        ("models", "network"),
        ("network", "lm"),
        ("decoding", "transcription"),
        ("report", "cli"),
        ("export", "training"),
        ("evaluation", "report"),
        ("transcription", ""),
        ("training", ""),
    ],
)
def test_the_rule_refuses(user: str, used: str) -> None:
    assert objection(user, used)


def test_imports_are_found_where_they_hide(tmp_path: Path) -> None:
    source = tmp_path / "sample.py"
    source.write_text(
        "import os.path\nfrom typing import TYPE_CHECKING\nimport typing\n"
        "if TYPE_CHECKING:\n    import torch\nelse:\n    import soxr\n"
        "if typing.TYPE_CHECKING:\n    import av\n"
        "def f():\n    from asr import text, audio as sound\n    class C:\n        import jiwer\n"
        "try:\n    from onnxruntime.capi import x\nexcept ImportError:\n    import importlib\n"
        "importlib.import_module('click.core')\nimportlib.import_module(f'asr.cli.{f}')\n"
    )
    third_party = {"os.path", "typing", "soxr", "jiwer", "onnxruntime.capi", "importlib", "click.core"}
    assert imports(source) == third_party | {"asr.text", "asr.audio", "asr.cli.{f}"}


def loaded_after(statement: str) -> set[str]:
    """The top-level packages in memory after a statement, which must not print anything."""
    code = f"import sys\n{statement}\nloaded = {{name.partition('.')[0] for name in sys.modules}}"
    code += "\nprint('\\n'.join(sorted(loaded)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    packages = done.stdout.split("\n")[:-1]
    assert packages == sorted(packages)
    assert all(name.isidentifier() for name in packages), "something was printed besides our list"
    return set(packages)


def test_no_command_loads_more_than_it_needs_before_it_runs() -> None:
    modules = ["asr.transcription.transcriber", "asr.evaluation.recognition", *(f"asr.cli.{name}" for name in COMMANDS)]
    loaded = loaded_after(f"import {', '.join(modules)}")
    assert {"asr", "click", "numpy", "soundfile"} <= loaded
    assert not loaded & HEAVY - {"click", "numpy", "soundfile"}


def test_plain_import_loads_next_to_nothing() -> None:
    assert not loaded_after("import asr") & HEAVY


def test_greedy_transcription_compiles_nothing_and_loads_no_torch() -> None:
    example = PACKAGE.parent / "examples" / "enter.wav"
    loaded = loaded_after(f"import asr\nasr.load(beam=0, no_lm=True).transcribe({str(example)!r})")
    assert "onnxruntime" in loaded
    assert not loaded & {"numba", "torch"}


def test_recipes_are_shown_without_torch() -> None:
    recipe = PACKAGE.parent / "recipes" / "an4" / "base.yaml"
    code = f"import sys\nfrom asr.cli import main\nmain(['recipe', 'show', {str(recipe)!r}], standalone_mode=False)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nsys.exit('torch' in sys.modules)"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("name: an4\n")


def test_importing_asr_prints_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", "import asr"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
