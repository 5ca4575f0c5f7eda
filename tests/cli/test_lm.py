"""`asr lm` as a user runs it: exact output, and one sentence for each error."""

import json
import lzma
import math
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from asr.cli import main
from asr.export import language
from asr.lm import packed
from asr.recipe.recipe import LanguageRecipe
from asr.text import CharTokenizer
from asr.training.language import checkpoint


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["lm", *map(str, arguments)])


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("The cat sat.\nthe cat ran\nthe dog sat\na dog ran\nThe end\n" * 2)
    return path


def fails(result: Result, sentence: str) -> None:
    assert result.exit_code == 1
    assert result.stderr == f"Error: {sentence}\n"


def test_train_pack_and_measure(text: Path, tmp_path: Path) -> None:
    model = tmp_path / "lm.arpa"
    result = run("train", text, "--normalise", "--prune", "0", "0", "2", "-o", model)
    assert result.exit_code == 0
    assert result.stdout == (
        "order      n-grams         kept      D1      D2     D3+\n"
        "    1           10           10  0.4000  1.6000  3.0000\n"
        "    2           13           13  0.5000  1.0000  1.5000  not estimated\n"
        "    3           13            1  0.5000  1.0000  1.5000  not estimated\n"
        f"{model}: 0.00 MB\n"
    )
    assert result.stderr == (
        "Note: the text is too small or too regular to estimate the discounts of order 2, 3; "
        "default values were used.\n"
    )
    assert model.read_text().startswith("\\data\\\nngram 1=10\nngram 2=13\nngram 3=1\n\n\\1-grams:\n")

    shown = run("perplexity", model, text, "--normalise")
    assert shown.exit_code == 0
    for form in ([], ["--small"]):
        result = run("pack", model, "-o", tmp_path / "lm.bin", *form)
        assert result.stdout == f"{tmp_path / 'lm.bin'}: 0.00 MB, 10 + 13 + 1 n-grams\n"
        again = run("perplexity", tmp_path / "lm.bin", text, "--normalise")
        assert (again.stdout == shown.stdout) == (not form)
    assert shown.stdout.endswith("\n10 sentences, 28 words, 0 unknown (0.00 %)\n")
    numbers = json.loads(run("perplexity", model, text, "--json").stdout)
    assert (numbers["words"], numbers["unknown"]) == (28, 6)
    assert f"{numbers['known']['perplexity']:.2f}" in run("perplexity", model, text).stdout


@pytest.mark.parametrize("name", ["lm.arpa.gz", "lm.arpa.xz"])
def test_packed_output_has_the_same_model(text: Path, tmp_path: Path, name: str) -> None:
    run("train", text, "-o", tmp_path / "lm.arpa")
    run("train", text, "-o", tmp_path / name)
    plain, compressed = packed.load(tmp_path / "lm.arpa"), packed.load(tmp_path / name)
    assert (tmp_path / name).read_bytes()[:2] in (b"\x1f\x8b", b"\xfd7")
    assert plain.words == compressed.words
    assert all((array == other).all() for array, other in zip(plain.trie, compressed.trie, strict=True))


def test_vocabulary_by_size_and_by_list(text: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("dog 9\ncat\nzebra\n")
    run("train", text, "--vocabulary-size", "2", "-o", tmp_path / "size.arpa")
    run("train", text, "--vocabulary", tmp_path / "list", "-o", tmp_path / "list.arpa")
    assert packed.load(tmp_path / "size.arpa").words == ["</s>", "<s>", "<unk>", "The", "cat"]
    assert packed.load(tmp_path / "list.arpa").words == ["</s>", "<s>", "<unk>", "cat", "dog"]


def test_prune_takes_the_numbers_that_follow(text: Path, tmp_path: Path) -> None:
    assert run("train", "--prune", "0", "5", text, "-o", tmp_path / "a").exit_code == 0
    assert run("train", "--prune", "0 5", text, "-o", tmp_path / "b").exit_code == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    result = run("train", "--prune", "few", text, "-o", tmp_path / "c")
    assert result.exit_code == 2
    assert "'few' is not a list of whole numbers such as 0 0 1." in result.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--prune", "1"], "--prune 1 must begin with 0: to limit the number of words, give --vocabulary-size."),
        (
            ["--prune", "0", "2", "1"],
            "--prune 0 2 1 must not decrease: an n-gram is kept only if the shorter ones in it are.",
        ),
        (
            ["--order", "2", "--prune", "0", "0", "1"],
            "--prune 0 0 1 has 3 numbers; a model of order 2 takes at most 2.",
        ),
    ],
)
def test_invalid_prune_values(text: Path, tmp_path: Path, options: list[str], sentence: str) -> None:
    fails(run("train", text, *options, "-o", tmp_path / "lm.arpa"), sentence)
    assert sorted(tmp_path.iterdir()) == [text]


def test_errors_in_input_files(text: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    fails(
        run("train", tmp_path / "empty", "-o", tmp_path / "lm.arpa"),
        f"{tmp_path / 'empty'}: there are no words to train on; give text with one sentence per line.",
    )
    (tmp_path / "list").write_text("zebra\n")
    fails(
        run("train", text, "--vocabulary", tmp_path / "list", "-o", tmp_path / "lm.arpa"),
        f"{tmp_path / 'list'} shares no word with the text: check upper and lower case, or give --normalise.",
    )
    fails(
        run("pack", tmp_path / "none", "-o", tmp_path / "x"),
        f"{tmp_path / 'none'} cannot be read: No such file or directory.",
    )
    result = run("train", text, "--vocabulary", text, "--vocabulary-size", "3", "-o", tmp_path / "lm.arpa")
    assert result.exit_code == 2
    assert not (tmp_path / "lm.arpa").exists()


def test_a_truncated_text_leaves_no_model(text: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.xz"
    broken.write_bytes(lzma.compress(text.read_bytes() * 100)[:-30])
    result = run("train", text, broken, "-o", tmp_path / "lm.arpa")
    assert result.exit_code == 1
    assert "broken.xz cannot be unpacked" in result.stderr
    assert sorted(tmp_path.iterdir()) == [broken, text]


@pytest.fixture(scope="module")
def lstm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported network that always predicts the letter b, and the end of a sentence with half its probability."""
    recipe = LanguageRecipe.model_validate(
        {
            "name": "toy",
            "data": {"train": ["a.txt"], "dev": ["b.txt"]},
            "text": {"alphabet": " abc"},
            "language": {"embedding": 2, "layers": 1, "hidden": 3},
        }
    )
    model = checkpoint.build(recipe, CharTokenizer(" abc"))
    torch.nn.init.zeros_(model.network.head.weight)
    with torch.no_grad():
        model.network.head.bias.copy_(torch.tensor([0.0, -50.0, -50.0, math.log(2), -50.0]))
    path = tmp_path_factory.mktemp("lstm") / "toy.onnx"
    language.export(model, path, ["abc"])
    return path


def test_generate_samples_from_the_model(lstm: Path) -> None:
    assert run("generate", lstm, "--length", "5", "--temperature", "0").stdout == "bbbbb\n"
    assert run("generate", lstm, "--length", "2", "--temperature", "0", "--prompt", "C a").stdout == "c abb\n"
    texts = [
        run("generate", lstm, "--temperature", "1", "--length", "900", "--seed", str(seed)).stdout for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]
    assert abs(texts[0].count("b") / 900 - 2 / 3) < 0.06  # all others are ends of sentences
    assert set(texts[0]) == {"b", "\n"}


def test_perplexity_of_an_lstm(lstm: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("B bb\nc\nxyz\n")
    numbers = json.loads(run("perplexity", lstm, text, "--json").stdout)
    assert (numbers["sentences"], numbers["words"], numbers["left_out"]) == (2, 3, 1)
    bits = 3 * math.log2(3 / 2) + 2 * math.log2(3) + 2 * 50 / math.log(2) + 2 * math.log2(3)  # b b b, ends, " " and c
    assert numbers["all"]["bits_per_character"] == pytest.approx(bits / 7, rel=1e-4)
    assert run("perplexity", lstm, text).stdout.endswith("\n2 sentences, 3 words, 1 lines skipped\n")


def test_generate_reports_invalid_input(lstm: Path, tmp_path: Path) -> None:
    assert "alphabet" in run("generate", lstm, "--prompt", "xyz").stderr
    fails(
        run("generate", tmp_path / "no.onnx"),
        f"Model '{tmp_path / 'no.onnx'}' does not exist: give the path of an .onnx file.",
    )
    acoustic = Path(__file__).resolve().parents[2] / "asr" / "models" / "an4.onnx"
    sentence = "is of the kind `acoustic model`, but a model of the kind `language model` is needed."
    fails(run("generate", acoustic), f"Model '{acoustic}' {sentence}")


def test_an_empty_threshold_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("one two\n")
    result = CliRunner().invoke(
        main, ["lm", "train", str(tmp_path / "text.txt"), "--prune", "", "-o", str(tmp_path / "x")]
    )
    assert result.exit_code == 1
    assert result.stderr == "Error: --prune has no number: give one for each order, such as 0 0 1.\n"
