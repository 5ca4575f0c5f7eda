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
from asr.recipe.files import differences, load_recipe, recipe_to_yaml, value_of, with_values
from asr.recipe.recipe import AnyRecipe
from asr.text import Tokenizer, tokenizer_from_json
from asr.training import curves
from asr.training.checkpoint import BEST, LAST
from asr.training.state import STATE
from asr.training.task import Column
from asr.version import __version__

CHANGEABLE = {
    "data.workers",
    "data.cache_gib",
    "data.max_bad_share",
    "training.save_every_s",
    "training.log_every_steps",
    "training.evaluate_every_steps",
}
"""Keys that may differ when a run is resumed because they do not change what is learnt."""
EXTENDABLE = {"training.epochs", "training.max_steps"}
"""Keys that may be raised when a run is resumed, to make it longer."""
SETTLED = ("data.batch_duration_s", "training.precision", "training.lstm_gradient")
"""Keys for whose `auto` a run finds a value at its start."""
PACKAGES = ("torch", "torchaudio", "lightning-fabric", "numpy", "safetensors")
"""Their versions are noted."""


class RunFolder:
    """The files of a run by name. The folder is a run once it holds a recipe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe, self.tokenizer = path / "recipe.yaml", path / "tokenizer.json"
        self.metrics, self.curves = path / "metrics.jsonl", path / "curves.png"
        self.best, self.last, self.state = path / BEST, path / LAST, path / STATE
        self.entries = path / "utterances.jsonl"

    def check_new(self) -> None:
        """Raises RecipeError when the folder holds a run."""
        if self.recipe.exists():
            raise RecipeError(
                f"Run folder '{self.path}' holds a run already: continue it with --resume, choose another with "
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
        found = {key: value_of(begun, key) for key in SETTLED if value_of(recipe, key) == "auto"}
        recipe = with_values(recipe, found)
        changed = differences(begun, recipe)
        if wrong := [key for key in changed if key not in CHANGEABLE | EXTENDABLE]:
            raise RecipeError(
                f"Run folder '{self.path}' holds a run of another recipe (it differs in {', '.join(wrong)}): give "
                "the recipe and overrides that it was started with."
            )
        for key in EXTENDABLE & changed.keys():
            before, now = changed[key]
            if now and (now < before or not before):
                raise RecipeError(
                    f"A resumed run can be made longer, not shorter: `{key}` was {before} and is now {now}."
                )
        return recipe

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder, and keep every other training out of it. The system lets go of it when the process dies.

        Raises:
            RecipeError: the folder cannot be created, or another training holds it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecipeError(
                f"Run folder '{self.path}' cannot be created ({error.strerror}): choose another by --run-dir."
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
        """Append a line."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")

    def keep_metrics(self, step: int) -> None:
        """Drop the lines of steps that were done after the state was saved and will be done again."""
        if self.metrics.exists():
            lines = [line for line in self.metrics.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
            with replacing(self.metrics) as file:
                file.writelines(line for line in lines if json.loads(line)["step"] <= step)

    def draw_curves(self, title: str, columns: Sequence[Column]) -> None:
        """The metrics of the evaluations as a picture."""
        lines = [json.loads(line) for line in self.metrics.read_text(encoding="utf-8").splitlines()]
        curves.draw([line for line in lines if columns[0].name in line], columns, self.curves, title)


def _write(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode())
