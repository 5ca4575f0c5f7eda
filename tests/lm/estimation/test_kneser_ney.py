"""Kneser-Ney training compared with the formulas on dictionaries, and with KenLM's lmplz."""

import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.lm import packed
from asr.lm.estimation.kneser_ney import FALLBACK, discounts
from asr.lm.estimation.train_ngram import train

REFERENCES = Path(__file__).resolve().parents[4] / "shared" / "data" / "text" / "kn-check"
Gram = tuple[str, ...]


class Formulas:
    """Chen and Goodman's modified Kneser-Ney, a literal implementation."""

    def __init__(self, sentences: list[list[str]], order: int, prune: list[int], allowed: set[str]) -> None:
        self.order = order
        padded = [["<s>", *sentence, "</s>"] for sentence in sentences]
        raw: list[Counter[Gram]] = [Counter()] + [
            Counter(tuple(line[at : at + n]) for line in padded for at in range(len(line) - n + 1))
            for n in range(1, order + 1)
        ]
        del raw[1]["<s>",]
        self.counts: list[dict[Gram, int]] = [{}]
        for n in range(1, order + 1):
            neighbours = Counter(gram[1:] for gram in raw[n + 1]) if n < order else Counter()
            self.counts.append(
                {gram: c if n == order or gram[0] == "<s>" else neighbours[gram] for gram, c in raw[n].items()}
            )
        allowed = allowed | {"<s>", "</s>"}
        self.kept = {
            gram
            for n in range(1, order + 1)
            for gram, count in raw[n].items()
            if count > prune[n - 1] and allowed.issuperset(gram)
        }
        self.words = {gram[0] for gram in self.kept if len(gram) == 1} | {"<unk>"}
        self.discounts: list[tuple[float, ...]] = [()]
        for n in range(1, order + 1):
            frequency = Counter(self.counts[n].values())
            histogram = np.array([0, *(frequency[count] for count in (1, 2, 3, 4))])
            self.discounts.append((0.0, *discounts(histogram)[0]))

    def taken(self, gram: Gram) -> float:
        count = self.counts[len(gram)][gram]
        return self.discounts[len(gram)][min(count, 3)] if gram in self.kept else count

    def left(self, context: Gram) -> float:
        longer = [gram for gram in self.counts[len(context) + 1] if gram[:-1] == context]
        total = sum(self.counts[len(context) + 1][gram] for gram in longer)
        return sum(map(self.taken, longer)) / total if total else 1.0

    def probability(self, gram: Gram) -> float:
        """Interpolated probability of the last word given the others."""
        context = gram[:-1]
        lower = self.probability(gram[1:]) if context else 1 / len(self.words)
        counts = self.counts[len(gram)]
        total = sum(count for other, count in counts.items() if other[:-1] == context)
        if not total:
            return lower
        seen = counts[gram] - self.taken(gram) if gram in counts else 0.0
        return seen / total + self.left(context) * lower


def write(path: Path, sentences: list[list[str]]) -> Path:
    path.write_text("".join(f"{' '.join(sentence)}\n" for sentence in sentences), encoding="utf-8")
    return path


def parse(path: Path) -> dict[Gram, tuple[float, float]]:
    """The n-grams of an ARPA file: log10 probability and back-off weight, 0 if there is none."""
    ngrams = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split("\t")
        if len(fields) > 1:
            ngrams[tuple(fields[1].split(" "))] = (float(fields[0]), float((*fields, "0")[2]))
    return ngrams


sentences = st.lists(st.lists(st.sampled_from("aaaaabbbccdefgh"), min_size=1, max_size=8), min_size=1, max_size=25)


def test_a_discount_of_zero_cannot_be_used() -> None:
    # Y = 4 / (4 + 2 * 4) = 1/3; the third discount is 3 - 4 Y 9 / 4 = 0.
    assert discounts(np.array([0, 4, 4, 4, 9])) == (FALLBACK, False)
    assert discounts(np.array([0, 4, 4, 4, 6]))[1]


@settings(max_examples=60, deadline=None)
@given(
    sentences,
    st.integers(2, 4),
    st.lists(st.integers(0, 2), min_size=3, max_size=3),
    st.sets(st.sampled_from("abcdefgh")),
    st.integers(1, 100),
)
def test_every_number_equals_the_formulas(
    tmp_path_factory: pytest.TempPathFactory,
    text: list[list[str]],
    order: int,
    prune: list[int],
    out: set[str],
    block: int,
) -> None:
    folder = tmp_path_factory.mktemp("kn")
    words = set(itertools.chain.from_iterable(text))
    allowed = words - out or words
    thresholds = [0, *sorted(prune)][:order]
    (folder / "vocabulary").write_text("\n".join(sorted(allowed)))
    train(
        [write(folder / "text", text)],
        folder / "lm.arpa",
        order=order,
        prune=thresholds,
        vocabulary=folder / "vocabulary",
        block=block,
    )
    ngrams, formulas = parse(folder / "lm.arpa"), Formulas(text, order, thresholds, allowed)
    assert ngrams.keys() == formulas.kept | {("<s>",), ("<unk>",)}
    for gram, (log_prob, backoff) in ngrams.items():
        expected = 0 if gram == ("<s>",) else math.log10(formulas.probability(gram))
        assert log_prob == pytest.approx(expected, abs=1e-5)
        if len(gram) < order:
            assert backoff == pytest.approx(math.log10(formulas.left(gram)), abs=1e-5)

    model = packed.load(folder / "lm.arpa")
    for history in [[], ["<s>"], text[0][:2], text[-1][-2:]]:
        state = 0
        for word in history:
            state = model.start() if word == "<s>" else model.advance(state, word)[1]
        total = sum(math.exp(model.advance(state, word)[0]) for word in formulas.words)
        assert total == pytest.approx(1, abs=1e-4)


def test_the_block_size_does_not_matter(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    text = write(tmp_path / "text", [list(map(str, random.zipf(1.5, 12) % 100)) for _ in range(300)])
    written = []
    for block in (100, 1777, 1 << 20):
        train([text], tmp_path / "lm.arpa", order=3, prune=[0, 0, 1], block=block)
        written.append((tmp_path / "lm.arpa").read_bytes())
    assert written[0] == written[1] == written[2]


def test_discounts_by_hand() -> None:
    estimates, estimated = discounts(np.array([0, 10, 4, 3, 2]))
    y = 10 / 18
    assert estimated
    assert estimates == pytest.approx((1 - 2 * y * 4 / 10, 2 - 3 * y * 3 / 4, 3 - 4 * y * 2 / 3))


@pytest.mark.parametrize("histogram", [[0, 5, 5, 0, 5], [0, 10, 4, 50, 1], [0, 0, 0, 0, 0]])
def test_discounts_that_cannot_be_estimated_have_default_values(histogram: list[int]) -> None:
    assert discounts(np.array(histogram)) == (FALLBACK, False)


@pytest.mark.skipif(not REFERENCES.exists(), reason="needs the reference models in ../shared/data/text/kn-check")
@pytest.mark.parametrize(("name", "order", "prune"), [("o4", 4, [0]), ("o3", 3, [0]), ("o3p011", 3, [0, 1, 1])])
def test_every_number_equals_the_reference(tmp_path: Path, name: str, order: int, prune: list[int]) -> None:
    orders = train([REFERENCES / "corpus.txt.xz"], tmp_path / "lm.arpa", order=order, prune=prune, block=100_000)
    ours, theirs = packed.load(tmp_path / "lm.arpa"), packed.load(REFERENCES / f"{name}.arpa.xz")
    assert list(ours.words) == list(theirs.words)
    np.testing.assert_array_equal(ours.trie.word, theirs.trie.word)
    np.testing.assert_array_equal(ours.trie.first_child, theirs.trie.first_child)
    for field in ("log_prob", "backoff"):
        difference = np.abs(getattr(ours.trie, field) - getattr(theirs.trie, field)) / math.log(10)
        assert difference.max() < 1e-5
    for line, stats in zip((REFERENCES / f"{name}.lmplz-stats.txt").read_text().splitlines()[2:], orders, strict=True):
        _, counts, *amounts = line.split()
        assert counts in (str(stats.counted), f"{stats.kept}/{stats.counted}")
        for amount, expected in zip(stats.discounts, amounts, strict=True):
            assert amount == pytest.approx(float(expected.partition("=")[2]), rel=1e-5)
