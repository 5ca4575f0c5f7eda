"""What the page of the server computes in JavaScript is what Python computes."""

import base64
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

from asr import models
from asr.decoding import build
from asr.decoding.beam.options import BeamOptions
from asr.decoding.beam.search import NO_PRIOR, BeamSearch
from asr.decoding.decoder import Decoder
from asr.decoding.greedy import GREEDY
from asr.decoding.live import LiveDecoder, Rules, Update
from asr.decoding.phone_search import PhoneSearch
from asr.decoding.protocol import Token
from asr.decoding.tokens_to_words import to_words
from asr.lm import arpa, packed
from asr.lm.estimation import train_ngram
from asr.lm.ngram import Ngram
from asr.models.decoding_settings import Settings
from asr.models.description import AcousticDescription
from asr.pages.assemble import PAGES
from asr.pronunciation.lexicon import Lexicon
from asr.text import ENGLISH, CharTokenizer, SubwordTokenizer, Tokenizer
from asr.transcript.formats import word_fields
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word
from asr.transcription import windows
from asr.transcription.transcriber import Transcriber, open_transcriber

page_of_server = pytest.importorskip("asr.serve.page", reason="the extra `serve` is not installed")
ORIGIN = "http://page.test"


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    """A page without a server, which may import the scripts."""
    context = browser.new_context()
    shown = context.new_page()

    def answer(route: Any) -> None:
        name = Path(route.request.url).name
        path = PAGES / "serve" / name
        if path.suffix == ".js":
            route.fulfill(path=path, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    shown.route("**/*", answer)
    shown.goto(ORIGIN)
    yield shown
    context.close()


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    """Those of a shipped model, as the page receives them."""
    return json.loads(json.dumps(page_of_server.settings(open_transcriber(models.find("an4")))))


def test_all_formats(page: Any, settings: dict[str, Any]) -> None:
    """Of random transcripts with pauses, sentences, long words, commas and other scripts."""
    random_ = random.Random(0)
    texts = [
        "a",
        "of",
        "the",
        "ship,",
        "captain",
        "supercalifragilisticexpialidocious" * 2,
        "<b>&",
        "日本語",
        "12%.",
        "𝄞𝄞𝄞",
    ]
    transcripts = [Transcript((), 0.0, "x", "toy"), Transcript((), 3.0, None, "toy")]
    for _ in range(150):
        time, words = 0.0, []
        for _ in range(random_.randrange(1, 80)):
            start = time + random_.choice([0, 0.04, 0.2, 0.6, 0.7, 2.5])
            time = start + random_.choice([0.04, 0.2, 0.52, 1.2])
            text = random_.choice(texts)
            word = Word(text, round(start, 3), round(time, 3), round(random_.random(), 4))
            spoken = (replace(word, text="x"), replace(word, text="y")) if text == "12%." else ()
            words.append(replace(word, spoken=spoken, ends_sentence=text.endswith(".")))
        transcripts.append(Transcript(tuple(words), round(time + random_.choice([0, 0.5, 9]), 3), "x", "toy"))
    values = [
        {
            "words": [word_fields(word) | {"ends_sentence": word.ends_sentence} for word in transcript.words],
            "duration_s": transcript.duration_s,
            "source": transcript.source,
            "model": transcript.model,
        }
        for transcript in transcripts
    ]
    script = """async ([values, settings]) => {
        const { WRITERS } = await import("/formats.js");
        const all = (value) => Object.entries(WRITERS).map(([name, write]) => [name, write(value, settings)]);
        return values.map((value) => Object.fromEntries(all(value)));
    }"""
    for transcript, found in zip(transcripts, page.evaluate(script, [values, settings]), strict=True):
        assert found.keys() == {"txt", "srt", "vtt", "json"}
        for format, content in found.items():
            expected = transcript.to(format)
            if format == "json":
                assert json.loads(content) == json.loads(expected)
            else:
                assert content == expected


def random_log_probs(count: int, tokenizer: Tokenizer, seed: int) -> np.ndarray:
    """Log-probs like those of speech: letters, words and pauses, of changing certainty. Shape: -> (T, V)"""
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, 1, (count, tokenizer.size))
    frame = 0
    while frame < count:
        width = int(generator.integers(1, 3))
        token = int(generator.integers(1, tokenizer.size))
        kind = generator.random()
        if kind < 0.45:
            token = 0
        elif kind < 0.6:
            token = 1
        elif kind < 0.63:
            token, width = 0, int(generator.integers(10, 90))
        scores[frame : frame + width, token] += generator.uniform(2, 9)
        frame += width
    return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)


TOKENIZERS: Sequence[Tokenizer] = (
    CharTokenizer(ENGLISH),
    SubwordTokenizer(ENGLISH, ("\u2581", "\u2581the", "a", "b", "\u2581ship", "s", "ing"), b""),
)


def changed(settings: dict[str, Any], tokenizer: Tokenizer, **values: Any) -> dict[str, Any]:
    kind = (
        {"type": "subwords", "pieces": tokenizer.pieces}
        if isinstance(tokenizer, SubwordTokenizer)
        else {"type": "characters"}
    )
    return settings | {"tokenizer": kind | {"alphabet": tokenizer.alphabet}} | values


def assert_same(found: Sequence[dict[str, Any]], expected: Sequence[Word]) -> None:
    assert [word["text"] for word in found] == [word.text for word in expected]
    for name in ("start_s", "end_s", "confidence"):
        assert [word[name] for word in found] == pytest.approx([getattr(word, name) for word in expected], abs=1e-5)


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=["characters", "subwords"])
@pytest.mark.parametrize("min_confidence", [0.0, 0.5])
def test_greedy_decoding_of_files(
    page: Any, settings: dict[str, Any], tokenizer: Tokenizer, min_confidence: float
) -> None:
    log_probs = random_log_probs(3_000, tokenizer, seed=1)
    limit = 90
    decoder = Decoder(temperature=1.4, min_confidence=min_confidence)
    segments = decoder.stream(np.split(log_probs, 20), tokenizer, limit)
    expected = [word for tokens in segments for word in to_words(tokens, tokenizer, 0.04, 120.0)]
    assert len(expected) > 30
    script = """async ([chunks, settings]) => {
        const { FileDecoder, GreedySearch, toWords } = await import("/ctc.js");
        const decoder = new FileDecoder(settings, new GreedySearch());
        const segments = chunks.flatMap((rows) => [...decoder.feed(rows)]);
        return [...segments, ...decoder.finish()].flatMap((tokens) => toWords(tokens, decoder.tokenizer, 0.04, 120));
    }"""
    chunks = [chunk.tolist() for chunk in np.split(log_probs, 60)]
    values = changed(settings, tokenizer, temperature=1.4, min_confidence=min_confidence, segment_frames=limit)
    assert_same(page.evaluate(script, [chunks, values]), expected)


def words_of_text(count: int, seed: int) -> list[str]:
    """Made-up sentences in which some words follow others often."""
    random_ = random.Random(seed)
    words = ["".join(random_.choices("abstein", k=random_.randrange(1, 6))) for _ in range(60)]
    follow = {word: random_.choices(words, k=3) for word in words}
    sentences = []
    for _ in range(count):
        sentence = [random_.choice(words)]
        while random_.random() < 0.85:
            sentence.append(random_.choice(follow[sentence[-1]] if random_.random() < 0.7 else words))
        sentences.append(" ".join(sentence))
    return sentences


@pytest.fixture(scope="module")
def ngram(tmp_path_factory: pytest.TempPathFactory) -> Ngram:
    folder = tmp_path_factory.mktemp("lm")
    (folder / "text").write_text("\n".join(words_of_text(400, seed=4)), encoding="utf-8")
    train_ngram.train([folder / "text"], folder / "lm.arpa", order=4, prune=(0, 0, 1, 1))
    return arpa.read(folder / "lm.arpa")


SMALL: Sequence[Tokenizer] = (
    CharTokenizer(" 'abeinst"),
    SubwordTokenizer(" 'abeinst", ("\u2581", "\u2581te", "a", "b", "\u2581sin", "s", "t", "e", "i", "n", "in"), b""),
)
BEAM = """
    const { BeamSearch } = await import("/beam.js");
    const { Ngram } = await import("/ngram.js");
    const { Tokenizer } = await import("/ctc.js");
    const content = lm && Uint8Array.from(atob(lm), (letter) => letter.charCodeAt(0)).buffer;
    const search = new BeamSearch(settings, new Tokenizer(settings.tokenizer), lm && new Ngram(content));
"""


def random_log_prior(tokenizer: Tokenizer) -> np.ndarray:
    """Shape: -> (V,)"""
    return np.random.default_rng(6).uniform(-2, 0, tokenizer.size)


def as_text(ngram: Ngram | None) -> str | None:
    return ngram and base64.b64encode(b"".join(page_of_server.packed(ngram))).decode()


def test_the_language_model(page: Any, ngram: Ngram) -> None:
    """Its suffixes are computed, its words found, and its probabilities are those of Python."""
    script = """async ([lm, texts]) => {
        const { Ngram } = await import("/ngram.js");
        const ngram = new Ngram(Uint8Array.from(atob(lm), (letter) => letter.charCodeAt(0)).buffer);
        const score = (text) => {
            let [total, state] = [0, ngram.start];
            for (const word of [...text.split(" "), "</s>"]) {
                const number = ngram.words.indexOf(word);
                const [logProb, next] = ngram.advance(state, number < 0 ? ngram.unknown : number);
                [total, state] = [total + logProb, next];
            }
            return total;
        };
        return [[...ngram.suffix], texts.map(score)];
    }"""
    texts = [*words_of_text(50, seed=4), *words_of_text(50, seed=5)]
    suffix, scores = page.evaluate(script, [as_text(ngram), texts])
    assert suffix == ngram.trie.suffix.tolist()
    assert scores == pytest.approx(ngram.score(texts))


def in_page(token: Token) -> dict[str, Any]:
    """A token as JavaScript has it: its searches rank no texts again."""
    assert token.agreement is None
    return {"number": token.number, "start": token.start, "end": token.end, "log_prob": token.log_prob}


@pytest.mark.parametrize("tokenizer", SMALL, ids=["characters", "subwords"])
@pytest.mark.parametrize("width", [100, 4])
@pytest.mark.parametrize("with_model", [True, False])
@pytest.mark.parametrize("hot_words", [(), ("ten", "tens", "base", "ns")], ids=["cold", "hot"])
@pytest.mark.parametrize("with_prior", [False, True])
def test_beam_search(
    page: Any,
    settings: dict[str, Any],
    ngram: Ngram,
    tokenizer: Tokenizer,
    width: int,
    with_model: bool,
    hot_words: Sequence[str],
    with_prior: bool,
) -> None:
    """A prior is used with a language model only."""
    boosts = dict.fromkeys(hot_words, 3.0)
    lm = ngram if with_model else None
    log_prior = random_log_prior(tokenizer) if with_prior else NO_PRIOR
    search = BeamSearch(
        tokenizer,
        BeamOptions(width=width, lm_weight=0.7),
        ngram=lm,
        hot_words=boosts,
        log_prior=log_prior if with_model else NO_PRIOR,
    )
    utterances = [random_log_probs(size, tokenizer, seed) for seed, size in enumerate([1, 30, 30, 60, 60, 300])]
    script = f"""async ([utterances, settings, lm, hotWords]) => {{{BEAM}
        const boosted = search.withHotWords(hotWords, 3);
        return utterances.map((rows) => {{
            const stream = boosted.start();
            stream.feed(rows.slice(0, 7));
            stream.feed(rows.slice(7));
            return [stream.best(), stream.agreed(5), stream.finish()];
        }});
    }}"""
    values = changed(settings, tokenizer, search=asdict(search.options), log_prior=log_prior.tolist())
    given = [[log_probs.tolist() for log_probs in utterances], values, as_text(lm), hot_words]
    for log_probs, found in zip(utterances, page.evaluate(script, given), strict=True):
        stream = search.start()
        stream.feed(log_probs)
        best, agreed, final = found
        assert best == [pytest.approx(in_page(token)) for token in stream.best()]
        assert agreed == stream.agreed(5)
        assert final == [pytest.approx(in_page(token)) for token in stream.finish()]


@pytest.mark.parametrize("tokenizer", SMALL, ids=["characters", "subwords"])
@pytest.mark.parametrize("min_confidence", [0.0, 0.5])
@pytest.mark.parametrize("kind", ["greedy", "beam", "beam with a prior"])
def test_live_decoding(
    page: Any, settings: dict[str, Any], ngram: Ngram, tokenizer: Tokenizer, min_confidence: float, kind: str
) -> None:
    log_probs = random_log_probs(1_500, tokenizer, seed=2)
    rules = Rules(longest_s=8.0)
    description = AcousticDescription(name="toy", tokenizer=tokenizer, sample_rate=16_000, frame_shift_s=0.04)
    log_prior = random_log_prior(tokenizer) if kind == "beam with a prior" else NO_PRIOR
    beam = BeamSearch(tokenizer, BeamOptions(width=20), ngram=ngram, log_prior=log_prior)
    search = GREEDY if kind == "greedy" else beam
    decoder = LiveDecoder(Decoder(search, temperature=1.4, min_confidence=min_confidence), description, rules)
    chunks = np.split(log_probs, 250)
    expected: list[Update] = [*(decoder.feed(chunk) for chunk in chunks[:-1]), decoder.finish(chunks[-1], 59.99)]
    script = f"""async ([chunks, settings, lm]) => {{{BEAM.replace("new BeamSearch(", "lm && new BeamSearch(")}
        const {{ GreedySearch }} = await import("/ctc.js");
        const {{ LiveDecoder }} = await import("/live.js");
        const decoder = new LiveDecoder(settings, search || new GreedySearch());
        const last = chunks.pop();
        return [...chunks.map((rows) => decoder.feed(rows)), decoder.finish(last, 59.99)];
    }}"""
    values = changed(settings, tokenizer, temperature=1.4, min_confidence=min_confidence, rules=asdict(rules))
    values |= {"search": asdict(beam.options), "log_prior": log_prior.tolist()}
    lm = None if search is GREEDY else as_text(ngram)
    found = page.evaluate(script, [[chunk.tolist() for chunk in chunks], values, lm])
    assert sum(len(update.words) for update in expected) > 15
    assert sum(bool(update.tail) for update in expected) > 10
    for one, other in zip(found, expected, strict=True):
        assert one["ends_utterance"] == other.ends_utterance
        assert one["time_s"] == pytest.approx(other.time_s)
        assert_same(one["words"], other.words)
        assert_same(one["tail"], other.tail)


def test_the_columns_of_phones_are_dropped(page: Any) -> None:
    """Of two frames of four log-probs, and one that is not of the recording; onnxruntime-web is replaced."""
    runtime = """
        export const env = { wasm: {} };
        export class Tensor { constructor(type, data, dims) { Object.assign(this, { data, dims }); } }
        const logProbs = new Tensor("float32", Float32Array.from({ length: 12 }, (_, k) => k), [1, 3, 4]);
        const run = async () => ({ log_probs: logProbs, output_lengths: new Tensor("int64", [2n], [1]) });
        export const InferenceSession = { create: async () => ({ run }) };
    """
    page.route("**/ort.wasm.min.mjs", lambda route: route.fulfill(body=runtime, content_type="text/javascript"))
    script = """async (columns) => {
        const { open } = await import("/session.js");
        const rows = await (await open(new Uint8Array(), columns))(new Float32Array(8));
        return rows.map((row) => [...row]);
    }"""
    assert page.evaluate(script, 3) == [[0, 1, 2], [4, 5, 6]]
    assert page.evaluate(script, 4) == [[0, 1, 2, 3], [4, 5, 6, 7]]


RATE = 1_000
STEP = 40


@dataclass
class Sampled:
    """A model whose log-probs are samples."""

    description: AcousticDescription = field(
        default_factory=lambda: AcousticDescription(
            name="toy", tokenizer=CharTokenizer(" a"), sample_rate=RATE, frame_shift_s=STEP / RATE
        )
    )

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [np.stack([w[k : len(w) // STEP * STEP : STEP] for k in range(3)], axis=1) for w in waveforms]


@pytest.mark.parametrize("windowing", [windows.DEFAULT, windows.LIVE], ids=["files", "live"])
def test_windows(page: Any, settings: dict[str, Any], windowing: windows.Windowing) -> None:
    """Of a recording with loud, quiet and silent stretches."""
    generator = np.random.default_rng(3)
    stretches = [(20, 0.3), (30, 0.004), (90, 0.0), (25, 0.8), (7, 1e-4)]
    waveform = np.concatenate([level * generator.normal(0, 1, seconds * RATE) for seconds, level in stretches])
    waveform = waveform.astype(np.float32)
    expected = windows.log_probs(Sampled(), waveform, windowing)
    script = """async ([samples, settings, windowing]) => {
        const { WindowCutter, Stitcher, runWindow } = await import("/windows.js");
        const row = (w, k) => w.slice(40 * k, 40 * k + 3);
        const run = async (w) => Array.from({ length: Math.floor(w.length / 40) }, (_, k) => row(w, k));
        const [cutter, stitcher] = [new WindowCutter(settings, windowing), new Stitcher(settings, windowing)];
        const rows = [];
        const add = async (window) => rows.push(...stitcher.add(window, await runWindow(run, window, settings)));
        for (let k = 0; k < samples.length; k += 777) {
            for (const window of cutter.feed(Float32Array.from(samples.slice(k, k + 777)))) await add(window);
        }
        await add(cutter.finish());
        return rows.map((row) => [...row]);
    }"""
    values = settings | {"sample_rate": RATE, "frame_shift_s": STEP / RATE, "num_tokens": 3, "lowest_level_db": -18}
    found = page.evaluate(script, [waveform.tolist(), values, asdict(windowing)])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_of_a_search_over_phones_the_browser_gets_the_one_over_letters(ngram: Ngram) -> None:
    tokenizer = SMALL[0]
    lexicon = Lexicon(("A", "T"), {word: (("A", "T"),) for word in ngram.words if set(word) <= set("abeinst")})
    numbers = tuple(random_log_prior(tokenizer).tolist())
    description = AcousticDescription(
        name="toy",
        tokenizer=tokenizer,
        sample_rate=16_000,
        frame_shift_s=0.04,
        phones=lexicon.phones,
        decoding=Settings(beam=20, lm_weight=0.7, log_prior=(*numbers, -9.0, -8.0, -7.0, -6.0)),
        language_model=base64.b64encode(packed.dumps(ngram)).decode(),
        lexicon=base64.b64encode(lexicon.to_bytes()).decode(),
    )
    by_phones = transcriber_of(description)
    assert isinstance(by_phones.decoder.search, PhoneSearch)
    values = page_of_server.settings(by_phones)
    assert values["is_by_phones"]
    assert not values["is_greedy"]
    assert values["log_prior"] == list(numbers)
    assert values["search"] == asdict(BeamOptions(width=20, lm_weight=0.7))
    found = page_of_server.ngram_of(by_phones)
    assert found.words == ngram.words

    by_letters = transcriber_of(replace(description, lexicon=""))
    about = {"about": by_letters.decoder.about, "is_by_phones": False}
    assert page_of_server.settings(by_letters) == values | about

    greedy = transcriber_of(replace(description, language_model="", decoding=Settings(log_prior=(-1.0,) * 14)))
    values = page_of_server.settings(greedy)
    assert values["is_greedy"]
    assert not values["is_by_phones"]
    assert values["log_prior"] == []
    assert page_of_server.ngram_of(greedy) is None


def transcriber_of(description: AcousticDescription) -> Transcriber:
    return Transcriber(Sampled(description), build.make(description))


@pytest.mark.parametrize("rate", [48_000, 44_100, 22_050, 16_000, 8_000])
def test_resampling(page: Any, rate: int) -> None:
    """Against soxr: tones in the band that both pass, after the first moment. Nothing depends on the pieces."""
    time = np.arange(rate) / rate
    band = 0.45 * min(rate, 16_000)
    tones = [(0.1, share * band) for share in (0.02, 0.1, 0.33, 0.7, 0.95)]
    tones += [(0.2, 9_500.0)] if rate > 20_000 else []  # above the band: must be removed
    waveform = np.sum([height * np.sin(2 * np.pi * pitch * time + pitch) for height, pitch in tones], axis=0)
    expected = soxr.resample(waveform, rate, 16_000, quality="VHQ")
    script = """async ([samples, rate]) => {
        const { Resampler } = await import("/resampler.js");
        const [whole, pieces] = [new Resampler(rate, 16000), new Resampler(rate, 16000)];
        const joined = [];
        for (let k = 0; k < samples.length; k += 128) {
            joined.push(...pieces.feed(Float32Array.from(samples.slice(k, k + 128))));
        }
        return [[...whole.feed(Float32Array.from(samples)), ...whole.finish()], [...joined, ...pieces.finish()]];
    }"""
    whole, pieces = map(np.array, page.evaluate(script, [waveform.tolist(), rate]))
    assert (whole == pieces).all()
    assert abs(len(whole) - 16_000) <= 1
    inner = slice(200, 15_800)
    assert np.abs(whole[inner] - expected[inner]).max() < 5e-4
