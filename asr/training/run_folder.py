"""The run folder: which files a run leaves, and what makes a folder a run."""

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from filelock import FileLock, Timeout

from asr.errors import RecipeError
from asr.files import replacing
from asr.recipe.files import differences, load_recipe, recipe_to_yaml
from asr.recipe.recipe import AnyRecipe, Recipe
from asr.text import Tokenizer, tokenizer_from_json
from asr.training import curves
from asr.training.checkpoint import BEST
from asr.training.state import STATE
from asr.training.task import Column
from asr.version import __version__

CHANGEABLE = {"data.workers", "data.cache_gib", "training.save_every_s"}
"""Keys that may differ when a run is resumed, for they do not change what is learnt."""
PACKAGES = ("torch", "torchaudio", "lightning-fabric", "numpy", "safetensors")
"""Their versions are noted."""


class RunFolder:
    """The files of a run by name. The folder is a run once its recipe stands in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe, self.tokenizer = path / "recipe.yaml", path / "tokenizer.json"
        self.metrics, self.curves = path / "metrics.jsonl", path / "curves.png"
        self.best, self.state = path / BEST, path / STATE

    def check_new(self) -> None:
        """Raises RecipeError when the folder holds a run."""
        if self.recipe.exists():
            raise RecipeError(
                f"Run folder '{self.path}' holds a run already: go on with it by --resume, choose another by "
                "--run-dir, or delete it."
            )

    def same(self, recipe: AnyRecipe) -> AnyRecipe:
        """`recipe` with the numbers that the run found for what it leaves open.

        Raises:
            RecipeError: the folder holds no run, or that of another recipe.
        """
        if not self.recipe.exists() or not self.tokenizer.exists():
            raise RecipeError(f"Run folder '{self.path}' holds no run to resume: start it without --resume.")
        begun = load_recipe(self.recipe)
        if isinstance(recipe, Recipe) and isinstance(begun, Recipe) and recipe.data.batch_duration_s == "auto":
            recipe = recipe.with_batch_duration(begun.data.batch_duration_s)
        changed = [key for key in differences(begun, recipe) if key not in CHANGEABLE]
        if changed:
            raise RecipeError(
                f"Run folder '{self.path}' holds a run of another recipe (it differs in {', '.join(changed)}): give "
                "the recipe and overrides that it was started with."
            )
        return recipe

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder, and keep every other training out of it. The system lets go of it when the process dies.

        Raises:
            RecipeError: the folder cannot be made, or another training holds it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecipeError(
                f"Run folder '{self.path}' cannot be made ({error.strerror}): choose another by --run-dir."
            ) from None
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise RecipeError(
                f"Run folder '{self.path}' is in use by another training: wait for its end, or choose another folder "
                "by --run-dir."
            ) from None
        try:
            yield
        finally:
            lock.release()

    def write_tokenizer(self, tokenizer: Tokenizer) -> None:
        """Note the tokens; sub-words are found only once."""
        _write(self.tokenizer, tokenizer.to_json() + "\n")

    def read_tokenizer(self) -> Tokenizer:
        """The tokens of the run. Raises ModelError when the file is of a newer version."""
        return tokenizer_from_json(self.tokenizer.read_text(encoding="utf-8"))

    def write_recipe(self, recipe: AnyRecipe) -> None:
        """Make the folder a run: note the versions, then the recipe with every default."""
        versions = {name: metadata.version(name) for name in PACKAGES}
        versions |= {"asr": __version__, "python": platform.python_version(), "platform": platform.platform()}
        _write(self.path / "versions.json", json.dumps(versions, indent=2) + "\n")
        _write(self.recipe, recipe_to_yaml(recipe))

    def add_metrics(self, metrics: Mapping[str, float]) -> None:
        """Append an epoch's line."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")

    def keep_metrics(self, epochs: int) -> None:
        """Drop the lines of epochs that were done after the state was saved and will be done again."""
        if self.metrics.exists():
            lines = self.metrics.read_bytes().splitlines(keepends=True)
            with replacing(self.metrics) as file:
                file.writelines(lines[:epochs])

    def draw_curves(self, title: str, columns: Sequence[Column]) -> None:
        """The metrics as a picture."""
        lines = self.metrics.read_text(encoding="utf-8").splitlines()
        curves.draw([json.loads(line) for line in lines], columns, self.curves, title)


def _write(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode())
