"""Training a punctuation model: windows and pauses, and a toy that learns a rule."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from asr.errors import DataError, ModelError
from asr.readable.labels import MARKS, parse
from asr.readable.pauses import CLASSES, UNKNOWN
from asr.recipe.files import load_recipe, with_values
from asr.recipe.recipe import PunctuationRecipe
from asr.text import ENGLISH
from asr.training.punctuation import checkpoint
from asr.training.punctuation.lines import LabelledLines
from asr.training.punctuation.pauses import BY_MARK, simulate
from asr.training.punctuation.task import PunctuationTask
from asr.training.run import train

ROOT = Path(__file__).resolve().parents[3]
RULES = ("Is it red?", "No, it is not.", "Go, Tom!", "What is it?", "It is blue.", "Yes, it is red.")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> PunctuationRecipe:
    folder = tmp_path_factory.mktemp("text")
    draw = np.random.default_rng(0)
    for name, count in (("train", 300), ("dev", 40)):
        lines = [" ".join(draw.choice(RULES, size=4)) for _ in range(count)]
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\nÜber 5.\n", encoding="utf-8")
    return PunctuationRecipe.model_validate(
        {
            "name": "toy",
            "data": {"train": [folder / "train.txt"], "dev": [folder / "dev.txt"], "window": 20, "batch": 16},
            "punctuation": {
                "rows": 200,
                "embedding": 12,
                "channels": 12,
                "context": {"layers": 1, "hidden": 12, "dropout": 0},
            },
            "optimiser": {"learning_rate": 0.03, "weight_decay": 0},
            "training": {"epochs": 2, "accelerator": "cpu", "precision": "32-true", "lstm_gradient": "torch"},
        }
    )


def test_lines_keep_their_words_and_labels(recipe: PunctuationRecipe) -> None:
    lines = LabelledLines(recipe.data.dev, ENGLISH, 200)
    text = recipe.data.dev[0].read_text(encoding="utf-8").splitlines()
    assert (len(lines), lines.skipped) == (40, 1)
    assert "'5'" in lines.first_skipped or "'ü'" in lines.first_skipped
    for index in (0, 7, 39):
        expected = parse(text[index])
        assert lines.marks[lines.at(index)].tolist() == [word.mark for word in expected]
        assert lines.cases[lines.at(index)].tolist() == [word.case for word in expected]


@pytest.mark.parametrize(
    "other", ["hello world how are you\nfine", "Hello, world! How are you?\nFine.", "a b c d e\nf"]
)
def test_another_text_is_noticed_on_resume(recipe: PunctuationRecipe, tmp_path: Path, other: str) -> None:
    """Though it has as many words on as many lines."""

    def task(text: str) -> PunctuationTask:
        (tmp_path / "x.txt").write_text(text + "\n", encoding="utf-8")
        return PunctuationTask(with_values(recipe, {"data.train": [str(tmp_path / "x.txt")]}), None)

    begun = task("Hello, world. How are you?\nFine.")
    begun.write_entries(tmp_path / "entries")
    begun.resume_entries(tmp_path / "entries")
    with pytest.raises(ModelError, match="its training text has changed"):
        task(other).resume_entries(tmp_path / "entries")


def test_text_without_words(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("\n...\n", encoding="utf-8")
    with pytest.raises(DataError, match="hold no words"):
        LabelledLines([tmp_path / "x.txt"], ENGLISH, 200)


def test_batches_hold_every_word_and_only_some_pauses(recipe: PunctuationRecipe) -> None:
    task = PunctuationTask(recipe, None)
    plan = task.plan(0, 1)
    batches = list(task.read(plan, 0, 0, (0, 1), {}))
    assert [list(batch.tensors[2].shape) for batch in batches[:2]] == [[16, 20]] * 2
    assert sum(batch.amount for batch in batches) >= len(task.train_set.words)
    known = [
        bool((pauses[: int(length) - 1] != UNKNOWN).all())
        for b in batches
        for pauses, length in zip(b.pauses, b.lengths, strict=True)
    ]
    assert 0.3 < np.mean(known) < 0.7
    again = list(task.read(plan, 0, 0, (0, 1), {}))
    assert all(bool((one.pauses == other.pauses).all()) for one, other in zip(batches, again, strict=True))
    halves = [list(task.read(task.plan(0, 2), 0, 0, (number, 2), {})) for number in range(2)]
    assert sum(b.amount for half in halves for b in half) == sum(b.amount for b in batches)


def test_simulated_pauses_follow_their_table() -> None:
    np.testing.assert_allclose(BY_MARK.sum(axis=1), 1)
    draw = np.random.default_rng(1)
    marks = np.full(60, MARKS.index("."))
    ends = np.concatenate([simulate(marks, draw)[:-1] for _ in range(400)])
    nothing = np.concatenate([simulate(0 * marks, draw)[:-1] for _ in range(400)])
    assert set(np.unique(ends)) == set(range(1, CLASSES))
    assert (ends >= 4).mean() > 0.55 > 0.15 > (nothing >= 4).mean()
    assert simulate(marks, draw)[-1] == UNKNOWN


def test_a_toy_learns_its_sentences_and_is_read_again(recipe: PunctuationRecipe, tmp_path: Path) -> None:
    result = train(recipe, tmp_path / "run", Console(quiet=True))
    assert result is not None
    model = checkpoint.load(tmp_path / "run")
    assert model.description.scores["dev"]["f1"]["."] > 0.9
    assert model.description.scores["dev"]["f1"]["capitals"] > 0.9
    assert result.summary.startswith("F1 in %: , ")
    with pytest.raises(ModelError, match="training text has changed"):
        (tmp_path / "other.jsonl").write_text((tmp_path / "run" / "utterances.jsonl").read_text().replace("1", "2"))
        PunctuationTask(recipe, None).resume_entries(tmp_path / "other.jsonl")


def test_the_shipped_recipe_loads() -> None:
    recipe = load_recipe(ROOT / "recipes" / "punctuation" / "english.yaml")
    assert isinstance(recipe, PunctuationRecipe)
    assert recipe.punctuation.context.layers == 2
