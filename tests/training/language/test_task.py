"""Training a language model: windows, losses and scores against plain loops, and a run that is killed and goes on."""

import gzip
import json
import lzma
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from asr.cli import main
from asr.errors import DataError, ModelError
from asr.lm.protocol import END
from asr.lm.sentences import lines
from asr.network.language import LanguageModel
from asr.recipe.files import load_recipe
from asr.recipe.network import LanguageConfig
from asr.recipe.recipe import LanguageRecipe, SentencesConfig
from asr.recipe.training import TextConfig
from asr.text import CharTokenizer, SubwordTokenizer
from asr.training import checkpoint, loop
from asr.training.language import checkpoint as language_checkpoint
from asr.training.language.objective import LanguageObjective, TorchReader
from asr.training.language.task import LanguageTask
from asr.training.language.windows import EncodedSentences, make_tokenizer
from asr.training.text import plan_windows

TOKENIZER = CharTokenizer(" ab")


def sentences(folder: Path, text: str) -> EncodedSentences:
    (folder / "text.txt").write_text(text)
    return EncodedSentences([folder / "text.txt"], TOKENIZER)


def network(**changes: float) -> LanguageModel:
    torch.manual_seed(0)
    config = {"embedding": 3, "layers": 2, "hidden": 5, "dropout": 0.0} | changes
    return LanguageModel(LanguageConfig.model_validate(config), TOKENIZER.size)


# Text


def test_sentences_are_lines_with_their_ends(tmp_path: Path) -> None:
    found = sentences(tmp_path, "Ab!\n\n  b   a\n")
    assert [found[index].tolist() for index in range(len(found))] == [[2, 3, END], [3, 1, 2, END]]
    assert found.characters == 3 + 4


def test_lines_outside_the_alphabet_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    found = sentences(tmp_path, "a\nzebra\nb 1\n")
    assert len(found) == 2 - 1
    assert found.skipped == 2
    assert "text.txt, line 2" in found.first_skipped


@pytest.mark.parametrize(("name", "pack"), [("a.txt", bytes), ("a.gz", gzip.compress), ("a.xz", lzma.compress)])
def test_compressed_texts(name: str, pack, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(pack("ä\nb\n".encode()))
    assert list(lines([tmp_path / name])) == [
        (f"{tmp_path / name}, line 1", "ä"),
        (f"{tmp_path / name}, line 2", "b"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xz", lzma.compress(b"a\n" * 9999)[:60], "cannot be unpacked"),
        ("a.gz", gzip.compress(b"a\n" * 9999, mtime=0)[:30], "cannot be unpacked"),
        ("a.txt", b"\xff\n", "is not UTF-8"),
    ],
)
def test_a_bad_text_is_one_sentence(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(lines([tmp_path / name]))


def test_sub_words_are_found_in_the_lines_that_can_be_spelled(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("ab ab aab\nzebra 1843\nbab ab\n" * 20)
    config = SentencesConfig.model_validate({"train": [tmp_path / "text.txt"], "dev": [tmp_path / "text.txt"]})
    tokenizer = make_tokenizer(TextConfig(alphabet=" ab", subwords=6), config)
    assert isinstance(tokenizer, SubwordTokenizer)
    assert set("".join(tokenizer.pieces)) == set("▁ab")


def test_a_byte_order_mark_is_no_character(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes("\ufeffab\n".encode())
    assert [line for _, line in lines([tmp_path / "text.txt"])] == ["ab"]


def test_no_sentence_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="hold no sentence"):
        sentences(tmp_path, "\n\n")


# Windows


@given(st.lists(st.integers(1, 12), min_size=1, max_size=20), st.integers(2, 15), st.randoms())
def test_windows_cover_every_sentence(lengths: list[int], window: int, random) -> None:
    order = np.array(random.sample(range(len(lengths)), len(lengths)))
    windows = plan_windows(np.cumsum(lengths), window, order)
    place = {int(index): position for position, index in enumerate(order)}
    whole: set[int] = set()
    for sentences_in in windows:
        positions = [place[index] for index in sentences_in]
        assert positions == list(range(positions[0], positions[0] + len(positions)))
        total = 0
        for index in sentences_in:
            assert total < window  # none is named of which nothing fits
            total += lengths[index]
            if total <= window:
                whole.add(index)
        assert total >= window or positions[-1] == len(lengths) - 1  # as full as it can be
    assert whole >= {index for index, length in enumerate(lengths) if length <= window}
    assert {index for window_ in windows for index in window_} == set(range(len(lengths)))


# Losses and scores


def test_the_loss_is_the_cross_entropy_of_each_token_given_those_before() -> None:
    objective = LanguageObjective(network())
    tokens = torch.tensor([[0, 2, 3, 0, 1], [0, 3, 0, 0, 0]])
    found = objective(tokens, torch.tensor([4, 2]))
    expected = []
    for row, length in zip(tokens.tolist(), (4, 2), strict=True):
        total = 0.0
        for position in range(1, length + 1):
            log_probs, _ = objective.network(torch.tensor([row[:position]]), objective.network.start(1))
            total -= log_probs[0, -1, row[position]].item()
        expected.append(total)
    torch.testing.assert_close(found.total, torch.tensor(expected))
    assert found.total.requires_grad
    assert not found.plain.requires_grad


def test_reading_on_is_reading_at_once() -> None:
    reader = TorchReader(network())
    whole, _ = reader.read([0, 2, 3, 1], reader.start())
    _, state = reader.read([0, 2], reader.start())
    _, state = reader.read([3], state)
    last, _ = reader.read([1], state)
    np.testing.assert_allclose(last, whole, rtol=0, atol=1e-6)
    assert math.isclose(float(np.exp(whole).sum()), 1, abs_tol=1e-5)


# A run


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A text in which a b follows every a, and nothing else is certain."""
    random = np.random.default_rng(0)
    text = ["".join(random.choice(["ab", "b", " b"], size=8)) for _ in range(300)]
    (tmp_path / "train.txt").write_text("\n".join(text[:250]) + "\nzebra\n")
    (tmp_path / "dev.txt").write_text("\n".join(text[250:]) + "\n")
    tree = {
        "name": "toy",
        "data": {"train": [str(tmp_path / "train.txt")], "dev": [str(tmp_path / "dev.txt")], "window": 40, "batch": 8},
        "text": {"alphabet": " ab"},
        "language": {"embedding": 8, "layers": 1, "hidden": 24, "dropout": 0.1},
        "optimiser": {"learning_rate": 0.02, "ema": 0.5},
        "training": {"epochs": 3, "save_every_s": 1e-9, "lstm_gradient": "own"},  # not by a trial, which may differ
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def run(recipe: Path, run_dir: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["train", str(recipe), "--run-dir", str(run_dir), *options])


def test_a_run_learns_and_goes_on_where_it_was_killed(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(recipe, tmp_path / "whole")
    assert whole.exit_code == 0, whole.output
    assert "Skipped in train: 1 lines with characters outside the alphabet." in whole.output
    bits = [json.loads(line)["dev_bits"] for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    # Eight of three equally likely things are 14.3 characters with the end of the line: 8 log2(3) / 14.3 = 0.89 bits if
    # one could count to eight.
    assert 0.89 < bits[-1] < 1.25
    assert bits[-1] < bits[0]
    assert f"{min(bits):.3f} bits a character on 50 dev sentences" in whole.output
    model = language_checkpoint.load(tmp_path / "whole")
    log_probs, _ = TorchReader(model.network).read([END, 2], model.network.start(1))
    assert math.exp(log_probs[3]) > 0.9  # after an a comes a b

    usual, steps = loop.Trainer.step, iter(range(10**6))

    class Killed(BaseException):
        pass

    def step(self, batch, rate):
        if next(steps) == 20:
            raise Killed
        usual(self, batch, rate)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Trainer, "step", step)
        with pytest.raises(Killed):
            run(recipe, tmp_path / "cut")
    resumed = run(recipe, tmp_path / "cut", "--resume")
    assert resumed.exit_code == 0, resumed.output
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_process_without_a_window_takes_part(recipe: Path) -> None:
    loaded = load_recipe(recipe)
    assert isinstance(loaded, LanguageRecipe)
    task = LanguageTask(loaded, None)
    (batch,) = task.read([task.plan(0, 1)[0][:1]], 0, 0, (1, 2), {})  # the second of two, where one window is left
    losses = task.objective(batch.tokens, batch.lengths)
    assert losses.total.tolist() == [0.0]


def test_the_two_kinds_of_model_are_told_apart(recipe: Path, smoke_run: Path, tmp_path: Path) -> None:
    assert run(recipe, tmp_path / "run").exit_code == 0
    with pytest.raises(ModelError, match="is of the kind `language model`"):
        checkpoint.load(tmp_path / "run")
    with pytest.raises(ModelError, match="is of the kind `acoustic model`"):
        language_checkpoint.load(smoke_run)
    checked = CliRunner().invoke(main, ["train", str(recipe), "--check"])
    assert checked.exit_code == 1
    assert "is the recipe of a language model" in checked.output


def test_an_unknown_key_is_suggested(recipe: Path, tmp_path: Path) -> None:
    result = run(recipe, tmp_path / "run", "language.hiden=3")
    assert result.exit_code == 1
    assert "unknown key `language.hiden` (did you mean `hidden`?)" in result.output
