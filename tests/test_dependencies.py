"""What asr imports can be imported where no more is installed than the extras in question ask for.

An environment for tests has every extra, so that what one of them forgets may come with another.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.test_layers import SOURCES, imports

PROJECT = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = ["", *sorted(PROJECT["optional-dependencies"].keys() - {"dev"})]
"""Those of a user; "" stands for the package alone."""
IMPORT_WITHOUT = """
import importlib, importlib.machinery, sys

class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else super().find_spec(name, path, target)

hidden, wanted = set(sys.argv[1].split(",")), sys.argv[2].split(",")
sys.meta_path = [finder for finder in sys.meta_path if finder is not importlib.machinery.PathFinder] + [Finder]
for name in wanted:
    try:
        importlib.import_module(name)
    except OSError:
        pass  # sounddevice, where the PortAudio library is not installed
    except ImportError as error:
        print(f"{name}: {error}")
"""


@cache
def installed_for(extra: str) -> frozenset[str]:
    """The distributions that `pip install asr[extra]` brings, with all that those require."""
    seen: set[tuple[str, frozenset[str]]] = set()
    left = _that_apply([*PROJECT["dependencies"], *PROJECT["optional-dependencies"].get(extra, [])], {""})
    while left:
        requirement = left.pop()
        key = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if key in seen:
            continue
        seen.add(key)
        try:
            left += _that_apply(requires(requirement.name) or [], requirement.extras or {""})
        except PackageNotFoundError:
            continue
    return frozenset(name for name, _ in seen)


def _that_apply(texts: Iterable[str], extras: Iterable[str]) -> list[Requirement]:
    """The requirements, of those in `texts`, that hold on this machine with one of the extras."""
    found = [Requirement(text) for text in texts]
    return [each for each in found if not each.marker or any(each.marker.evaluate({"extra": one}) for one in extras)]


@cache
def providers() -> dict[str, frozenset[str]]:
    """Top-level package -> the installed distributions that it is in."""
    return {package: frozenset(map(canonicalize_name, names)) for package, names in packages_distributions().items()}


def third_party() -> set[str]:
    """Dotted names of all that asr imports, anywhere in it, but itself and the standard library."""
    own = {"asr", "__future__"} | sys.stdlib_module_names
    names = set().union(*(imports(source) for source in SOURCES))
    return {name for name in names if re.fullmatch(r"[\w.]+", name) and name.partition(".")[0] not in own}


def test_whatever_is_imported_comes_with_an_extra() -> None:
    everything = frozenset().union(*(installed_for(extra) for extra in EXTRAS))
    unknown = {name for name in third_party() if not providers().get(name.partition(".")[0], frozenset()) & everything}
    assert not unknown


@pytest.mark.parametrize("extra", EXTRAS, ids=lambda extra: extra or "asr alone")
def test_it_can_be_imported_there(extra: str) -> None:
    there = installed_for(extra)
    wanted = sorted(name for name in third_party() if providers().get(name.partition(".")[0], frozenset()) & there)
    hidden = sorted(package for package, names in providers().items() if not names & there)
    assert "click" in wanted
    assert "pytest" in hidden
    command = [sys.executable, "-c", IMPORT_WITHOUT, ",".join(hidden), ",".join(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not done.stdout
