"""The weights of a language model, and the temperature of the confidence, that suit a model best on speech of its kind.

The sound is heard once. Then a beam search with each pair of LM weight and word bonus on a grid reads the same
log-probs, and the fewest word errors win; the grid grows where the best pair lies on its edge.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np

from asr.data.manifest import Utterance
from asr.decoding import rescoring
from asr.decoding.beam.search import BeamSearch
from asr.decoding.build import SearchModel, beam_search, make_search, words_only
from asr.decoding.decoder import Decoder, mean_confidence, tempered
from asr.decoding.greedy import GreedySearch
from asr.decoding.protocol import Search, Token, decode
from asr.decoding.rescoring import RescoredSearch
from asr.decoding.tokens_to_words import to_words
from asr.errors import DataError
from asr.evaluation.recognition import hear, score_transcripts
from asr.models.decoding_settings import Rescoring, Settings
from asr.models.description import AcousticDescription
from asr.models.session import LogProbModel
from asr.parallel import cores
from asr.progress import Progress, silent
from asr.scoring.calibration import Calibration, calibrate
from asr.scoring.wer import Score, score
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word

WEIGHTS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
BONUSES = (-0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5)
"""Where the search for LM weight and word bonus begins; both go up in equal steps."""
THREADS = cores()
GROWTH = 4
"""Rows and columns by which a grid grows at most, in each direction."""
SECOND_WEIGHTS = tuple(np.arange(0.0, 1.55, 0.1).round(2).tolist())
KEPT_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
SECOND_BONUSES = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
"""Of rescoring: the second model's weight, what is kept of the first one's, and what is added to the word bonus."""
TEMPERATURES = np.geomspace(0.25, 8, 101).round(3).tolist()


@dataclass(frozen=True)
class Heard:
    """A dev part, heard once by a model."""

    description: AcousticDescription
    """Of the model."""
    utterances: Sequence[Utterance]
    log_probs: Sequence[np.ndarray]
    """Shape of each: (T, V)"""
    durations_s: Sequence[float]
    references: Sequence[str]


@dataclass(frozen=True, order=True)
class Trial:
    """What a pair of weights gives; less is better, in the order of the fields."""

    words: int
    """Word errors."""
    characters: int
    """Character errors."""
    lm_weight: float
    word_bonus: float


@dataclass(frozen=True)
class Stage:
    """A way of decoding and its score."""

    name: str
    tokens: Sequence[Sequence[Token]]
    """What it finds in each utterance, with its confidence as the model has it."""
    score: Score


@dataclass(frozen=True)
class Tuned:
    """What tuning found."""

    settings: Settings
    stages: Sequence[Stage]
    """From greedy decoding to all that was asked for; the last is what the settings stand for."""
    trials: Sequence[Trial]
    """Of the grid; empty without an n-gram model."""
    before: Calibration
    """Of the confidence at temperature 1."""
    after: Calibration


def tune(
    heard: Heard,
    *,
    width: int = 0,
    lm: SearchModel | None = None,
    second: rescoring.SentenceScorer | None = None,
    progress: Progress = silent,
) -> Tuned:
    """Find all settings one after the other: weights of the language model, of rescoring, the temperature.

    Raises:
        DataError: not one word is recognised, or said.
    """
    if not any(heard.references):
        raise DataError(
            "The dev part has not one word, so nothing can be told right from wrong: give speech with texts."
        )
    settings, trials = Settings(beam=width, lm_size=() if lm is None else lm.size), []
    stages = [_stage(heard, "greedy", GreedySearch())]
    if width:
        search = make_search(heard.description, settings, width, None)
        stages.append(_stage(heard, "beam", search))
        if lm is not None:
            trials = weights(heard, lm, width, progress)
            best = min(trials)
            settings = replace(settings, lm_weight=best.lm_weight, word_bonus=best.word_bonus)
            search = make_search(heard.description, settings, width, lm)
            stages.append(_stage(heard, "beam + language model", search))
        if second is not None:
            lists = beam_search(heard.description, settings, width, words_only(lm))
            by = second_weights(heard, lists, second, progress)
            settings = replace(settings, rescoring=by)
            stages.append(_stage(heard, f"{stages[-1].name} + rescoring", RescoredSearch(lists, second, by)))
    progress("calibrating", 0, None)
    best_temperature, before, after = temperature(heard, stages[-1])
    return Tuned(replace(settings, temperature=best_temperature), stages, trials, before, after)


def _stage(heard: Heard, name: str, search: Search) -> Stage:
    found = [Decoder(search)(rows, heard.description.tokenizer) for rows in heard.log_probs]
    transcripts = [
        Transcript(_words(heard, tokens, duration_s), duration_s)
        for tokens, duration_s in zip(found, heard.durations_s, strict=True)
    ]
    return Stage(name, found, score_transcripts(heard.description, heard.utterances, transcripts))


def listen(model: LogProbModel, utterances: Sequence[Utterance], progress: Progress = silent) -> Heard:
    """Hear a dev part. Raises AudioError when an utterance cannot be read."""
    log_probs: dict[int, np.ndarray] = {}
    durations_s: dict[int, float] = {}
    for index, duration_s, rows in hear(model, utterances, threads=THREADS):
        log_probs[index], durations_s[index] = rows, duration_s
        progress("hearing", len(log_probs), len(utterances))
    order = range(len(utterances))
    normalise = model.description.tokenizer.normalise
    return Heard(
        model.description,
        utterances,
        [log_probs[index] for index in order],
        [durations_s[index] for index in order],
        [normalise(utterance.text) for utterance in utterances],
    )


def weights(heard: Heard, lm: SearchModel, width: int, progress: Progress) -> list[Trial]:
    """Search LM weight and word bonus; the best is the smallest trial. All of one grid, row by row."""
    tried: dict[tuple[float, float], Trial] = {}
    rows, columns, step = list(WEIGHTS), list(BONUSES), BONUSES[1] - BONUSES[0]
    for _ in range(GROWTH + 1):
        pairs = [pair for pair in product(rows, columns) if pair not in tried]
        for weight, bonus in pairs:
            settings = Settings(beam=width, lm_weight=weight, word_bonus=bonus)
            counted = score(heard.references, _texts(heard, make_search(heard.description, settings, width, lm)))
            tried[weight, bonus] = Trial(counted.words.errors, counted.characters.errors, weight, bonus)
            progress("trying weights", len(tried), len(rows) * len(columns))
        best = min(tried.values())
        rows += [round(rows[-1] + WEIGHTS[1], 2)] if best.lm_weight == rows[-1] else []
        if best.word_bonus == columns[0]:
            columns.insert(0, columns[0] - step)
        elif best.word_bonus == columns[-1]:
            columns.append(columns[-1] + step)
        if len(tried) == len(rows) * len(columns):
            break
    return [tried[pair] for pair in product(rows, columns) if pair in tried]


def _texts(heard: Heard, search: Search) -> list[str]:
    """What a search finds, utterances shared out among threads."""
    write = heard.description.tokenizer.decode
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(partial(decode, search), heard.log_probs))
    return [" ".join(write([token.number for token in tokens]).split()) for tokens in found]


def second_weights(
    heard: Heard, searcher: BeamSearch, second: rescoring.SentenceScorer, progress: Progress
) -> Rescoring:
    """Search the weights of rescoring on the n-best lists that a search gives."""
    lists = searcher.decode_batch(heard.log_probs, rescoring.N_BEST, threads=THREADS)
    seconds, errors = [], []
    for number, (hypotheses, reference) in enumerate(zip(lists, heard.references, strict=True), start=1):
        texts = [hypothesis.text for hypothesis in hypotheses]
        seconds.append(second.score(texts))
        counts = [score([reference], [text]) for text in texts]
        errors.append(np.array([(each.words.errors, each.characters.errors) for each in counts]))
        progress("reading the best texts", number, len(lists))
    trials = {}
    kept = KEPT_WEIGHTS if searcher.lm_weight else (0.0,)
    for weight, share, more in product(SECOND_WEIGHTS, kept, SECOND_BONUSES):
        by = Rescoring(
            weight=weight,
            lm_weight=round(share * searcher.lm_weight, 4),
            word_bonus=round(searcher.word_bonus + more, 4),
        )
        chosen = [
            int(rescoring.totals(hypotheses, second_log_probs, searcher, by).argmax())
            for hypotheses, second_log_probs in zip(lists, seconds, strict=True)
        ]
        words, characters = np.sum([each[place] for each, place in zip(errors, chosen, strict=True)], axis=0)
        trials[by] = Trial(int(words), int(characters), by.lm_weight, by.word_bonus)
    return min(trials, key=lambda by: (trials[by], by.weight))


def _words(heard: Heard, tokens: Sequence[Token], duration_s: float) -> tuple[Word, ...]:
    return to_words(tokens, heard.description.tokenizer, heard.description.frame_shift_s, duration_s)


def temperature(heard: Heard, stage: Stage) -> tuple[float, Calibration, Calibration]:
    """The temperature at which the confidence of the words foretells best which are right, by their log-likelihood.

    Returns it with the calibration before (at 1) and after.

    Raises:
        DataError: there is no word at all.
    """
    correct = np.array([p.kind == "hit" for u in stage.score.utterances for p in u.pairs if p.hypothesis is not None])
    if not len(correct):
        raise DataError(
            f"The model {heard.description.name!r} finds no word in {len(heard.utterances)} utterances, so there is "
            "nothing to tune: train it first, or give speech of its kind."
        )

    def confidence(value: float) -> np.ndarray:
        return np.array(
            [
                word.confidence
                for tokens, rows, duration_s in zip(stage.tokens, heard.log_probs, heard.durations_s, strict=True)
                for word in _words(heard, tempered(tokens, rows, value), duration_s)
            ]
        )

    def surprise(value: float) -> float:
        given = confidence(value).clip(1e-6, 1 - 1e-6)
        return float(-np.log(np.where(correct, given, 1 - given)).mean())

    best = min(TEMPERATURES, key=surprise)
    before, after = (calibrate(confidence(value).tolist(), correct.tolist()) for value in (1.0, best))
    assert before is not None
    assert after is not None
    return best, before, after


def left_out(heard: Heard, tuned: Tuned, min_confidence: float) -> tuple[int, int]:
    """Utterances in which the words' mean confidence is lower, and how many right words they have."""
    stage, tokenizer = tuned.stages[-1], heard.description.tokenizer
    low = [
        scored
        for scored, tokens, rows in zip(stage.score.utterances, stage.tokens, heard.log_probs, strict=True)
        if mean_confidence(tempered(tokens, rows, tuned.settings.temperature), tokenizer) < min_confidence
    ]
    return len(low), sum(pair.kind == "hit" for each in low for pair in each.pairs)


def as_rows(trials: Sequence[Trial]) -> Iterator[tuple[float, Mapping[float, Trial]]]:
    """Yield (LM weight, word bonus -> trial) of a grid, row by row."""
    for weight in sorted({trial.lm_weight for trial in trials}):
        row = sorted((trial for trial in trials if trial.lm_weight == weight), key=lambda trial: trial.word_bonus)
        yield weight, {trial.word_bonus: trial for trial in row}
