"""Tune the weights of a language model and the temperature of the confidence on a dev set.

The acoustic model runs once. Then its log-probs are decoded by beam search with each pair of LM weight and word bonus
on a grid; the pair with the fewest word errors wins. The grid is extended while the best pair lies on its edge.
"""

import math
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
from asr.decoding.decoder import Decoder, letters_of, mean_confidence, searched, tempered
from asr.decoding.greedy import GreedySearch
from asr.decoding.protocol import Search, Token, decode
from asr.decoding.rescoring import RescoredSearch
from asr.decoding.tokens_to_words import to_words
from asr.errors import DataError
from asr.evaluation.recognition import compute_log_probs, score_transcripts
from asr.models.decoding_settings import Rescoring, Settings
from asr.models.description import AcousticDescription
from asr.models.session import LogProbModel
from asr.parallel import cores
from asr.progress import Progress, silent
from asr.pronunciation.lexicon import Lexicon
from asr.scoring.calibration import Calibration, calibrate
from asr.scoring.wer import Score, score
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word

WEIGHTS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
BONUSES = (-0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5)
"""The initial grid of LM weights and word bonuses, in equal steps."""
THREADS = cores()
PRIOR_WEIGHT = 0.6
"""Share of the log-prior that a search with an n-gram model subtracts. On the dev parts of recipes/english 0.6 to 0.8
are level, and 0 costs a tenth more errors by letters, a quarter by phones."""
MIN_LOG_PRIOR = -10.0
"""Lowest number that is subtracted: of a token that the dev set hardly has."""
GROWTH = 4
"""Maximum number of rows or columns added to the grid in each direction."""
RESCORING_WEIGHTS = tuple(np.arange(0.0, 1.55, 0.1).round(2).tolist())
FIRST_PASS_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
EXTRA_BONUSES = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
"""The grid for rescoring: weight of the rescoring model, factor on the first-pass LM weight, change in word bonus."""
TEMPERATURES = np.geomspace(0.25, 8, 101).round(3).tolist()


@dataclass(frozen=True)
class DevSet:
    """A dev set with the log-probs of the acoustic model."""

    description: AcousticDescription
    """The description of the model."""
    utterances: Sequence[Utterance]
    log_probs: Sequence[np.ndarray]
    """Shape of each item: (T, V), with a head over phones (T, V + P)"""
    durations_s: Sequence[float]
    references: Sequence[str]

    def letters(self) -> list[np.ndarray]:
        """The log-probs of the tokens without those of phones. Shape of each item: (T, V)"""
        return [letters_of(rows, self.description.tokenizer) for rows in self.log_probs]


@dataclass(frozen=True, order=True)
class Trial:
    """The result of one pair of weights; trials sort from the best to the worst."""

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
    """The decoded tokens of each utterance, with the confidence before calibration."""
    score: Score


@dataclass(frozen=True)
class Tuned:
    """The result of tuning."""

    settings: Settings
    stages: Sequence[Stage]
    """From greedy decoding to the complete configuration; the last one corresponds to `settings`."""
    trials: Sequence[Trial]
    """All points of the grid; empty without a language model in the search, or with given weights."""
    before: Calibration
    """Calibration at temperature 1."""
    after: Calibration
    """Calibration at the fitted temperature."""


def tune(
    dev_set: DevSet,
    *,
    width: int = 0,
    lm: SearchModel | None = None,
    lexicon: Lexicon | None = None,
    weights: tuple[float, float] | None = None,
    rescorer: rescoring.SentenceScorer | None = None,
    progress: Progress = silent,
) -> Tuned:
    """Tune all settings, one after the other: the LM weights, the rescoring weights, the temperature.

    With the `lexicon` of an n-gram model the search is over phones. `weights`, LM weight and word bonus, are taken as
    they are.

    Raises:
        DataError: the references contain no words, or no word is recognised.
    """
    if not any(dev_set.references):
        raise DataError(
            "The references of the dev set contain no words, so nothing can be scored: give speech with transcripts."
        )
    settings, trials = Settings(beam=width, lm_size=() if lm is None else lm.size), []
    if lm is not None and lm.unit == "word":
        settings = replace(settings, log_prior=log_prior(dev_set))
    stages = [_stage(dev_set, "greedy", GreedySearch())]
    if width:
        search = make_search(dev_set.description, settings, width, None)
        stages.append(_stage(dev_set, "beam", search))
        if lm is not None:
            used = lm.in_order(lexicon.in_order(lm.words)) if lexicon is not None and lm.unit == "word" else lm
            if weights is None:
                trials = search_weights(dev_set, settings, used, lexicon, progress)
                weights = min(trials).lm_weight, min(trials).word_bonus
            settings = replace(settings, lm_weight=weights[0], word_bonus=weights[1])
            search = make_search(dev_set.description, settings, width, used, lexicon=lexicon)
            stages.append(_stage(dev_set, "beam + language model", search))
        if rescorer is not None:
            search = beam_search(dev_set.description, settings, width, words_only(lm))
            shares = tune_rescoring(dev_set, search, rescorer, progress)
            settings = replace(settings, rescoring=shares)
            stages.append(_stage(dev_set, f"{stages[-1].name} + rescoring", RescoredSearch(search, rescorer, shares)))
    progress("calibrating", 0, None)
    temperature, before, after = fit_temperature(dev_set, stages[-1])
    return Tuned(replace(settings, temperature=temperature), stages, trials, before, after)


def _stage(dev_set: DevSet, name: str, search: Search) -> Stage:
    tokens = [Decoder(search)(rows, dev_set.description.tokenizer) for rows in dev_set.log_probs]
    transcripts = [
        Transcript(_words(dev_set, decoded, duration_s), duration_s)
        for decoded, duration_s in zip(tokens, dev_set.durations_s, strict=True)
    ]
    return Stage(name, tokens, score_transcripts(dev_set.description, dev_set.utterances, transcripts))


def run_model(model: LogProbModel, utterances: Sequence[Utterance], progress: Progress = silent) -> DevSet:
    """Run the acoustic model on a dev set. Raises AudioError if an utterance cannot be read."""
    log_probs: dict[int, np.ndarray] = {}
    durations_s: dict[int, float] = {}
    for index, duration_s, rows in compute_log_probs(model, utterances, threads=THREADS):
        log_probs[index], durations_s[index] = rows, duration_s
        progress("running the model", len(log_probs), len(utterances))
    order = range(len(utterances))
    normalise = model.description.tokenizer.normalise
    return DevSet(
        model.description,
        utterances,
        [log_probs[index] for index in order],
        [durations_s[index] for index in order],
        [normalise(utterance.text) for utterance in utterances],
    )


def log_prior(dev_set: DevSet) -> tuple[float, ...]:
    """`PRIOR_WEIGHT` of the log-probability that each head gives each of its columns on average.

    The average is over all frames of the dev set. Shape: -> (V,), with a head over phones (V + P,)
    """
    frames = np.concatenate(dev_set.log_probs).astype(np.float64)
    prior = PRIOR_WEIGHT * (np.logaddexp.reduce(frames, axis=0) - math.log(len(frames)))
    return tuple(prior.clip(min=MIN_LOG_PRIOR).round(4).tolist())


def search_weights(
    dev_set: DevSet, start: Settings, lm: SearchModel, lexicon: Lexicon | None, progress: Progress
) -> list[Trial]:
    """Grid search over LM weight and word bonus; returns all trials, row by row. The best one is the smallest."""
    tried: dict[tuple[float, float], Trial] = {}
    rows, columns, step = list(WEIGHTS), list(BONUSES), BONUSES[1] - BONUSES[0]
    for _ in range(GROWTH + 1):
        pairs = [pair for pair in product(rows, columns) if pair not in tried]
        for weight, bonus in pairs:
            settings = replace(start, lm_weight=weight, word_bonus=bonus)
            search = make_search(dev_set.description, settings, start.beam, lm, lexicon=lexicon)
            counted = score(dev_set.references, _texts(dev_set, search))
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


def _texts(dev_set: DevSet, search: Search) -> list[str]:
    """Decode all utterances in parallel threads."""
    to_text = dev_set.description.tokenizer.decode
    rows = [searched(search, each, dev_set.description.tokenizer) for each in dev_set.log_probs]
    with ThreadPoolExecutor(THREADS) as pool:
        decoded = list(pool.map(partial(decode, search), rows))
    return [" ".join(to_text([token.number for token in tokens]).split()) for tokens in decoded]


def tune_rescoring(
    dev_set: DevSet, search: BeamSearch, rescorer: rescoring.SentenceScorer, progress: Progress
) -> Rescoring:
    """Grid search over the rescoring weights on the n-best lists of a beam search."""
    n_best_lists = search.decode_batch(dev_set.letters(), rescoring.N_BEST, threads=THREADS)
    rescorer_log_probs, errors = [], []
    for number, (hypotheses, reference) in enumerate(zip(n_best_lists, dev_set.references, strict=True), start=1):
        texts = [hypothesis.text for hypothesis in hypotheses]
        rescorer_log_probs.append(rescorer.score(texts))
        scores = [score([reference], [text]) for text in texts]
        errors.append(np.array([(s.words.errors, s.characters.errors) for s in scores]))
        progress("rescoring", number, len(n_best_lists))
    trials = {}
    shares = FIRST_PASS_SHARES if search.lm_weight else (0.0,)
    for weight, share, extra in product(RESCORING_WEIGHTS, shares, EXTRA_BONUSES):
        candidate = Rescoring(
            weight=weight,
            lm_weight=round(share * search.lm_weight, 4),
            word_bonus=round(search.word_bonus + extra, 4),
        )
        chosen = [
            int(rescoring.totals(hypotheses, log_probs, search, candidate).argmax())
            for hypotheses, log_probs in zip(n_best_lists, rescorer_log_probs, strict=True)
        ]
        words, characters = np.sum([counts[index] for counts, index in zip(errors, chosen, strict=True)], axis=0)
        trials[candidate] = Trial(int(words), int(characters), candidate.lm_weight, candidate.word_bonus)
    return min(trials, key=lambda candidate: (trials[candidate], candidate.weight))


def _words(dev_set: DevSet, tokens: Sequence[Token], duration_s: float) -> tuple[Word, ...]:
    return to_words(tokens, dev_set.description.tokenizer, dev_set.description.frame_shift_s, duration_s)


def fit_temperature(dev_set: DevSet, stage: Stage) -> tuple[float, Calibration, Calibration]:
    """Fit the temperature at which word confidence best predicts word correctness (minimum cross-entropy).

    Returns the temperature, and the calibration before (at temperature 1) and after.

    Raises:
        DataError: no word is recognised.
    """
    correct = np.array([p.kind == "hit" for u in stage.score.utterances for p in u.pairs if p.hypothesis is not None])
    if not len(correct):
        raise DataError(
            f"The model {dev_set.description.name!r} recognises no word in {len(dev_set.utterances)} utterances, so "
            "there is nothing to tune: train it first, or give speech like its training data."
        )

    letters = dev_set.letters()

    def confidences(temperature: float) -> np.ndarray:
        return np.array(
            [
                word.confidence
                for tokens, rows, duration_s in zip(stage.tokens, letters, dev_set.durations_s, strict=True)
                for word in _words(dev_set, tempered(tokens, rows, temperature), duration_s)
            ]
        )

    def cross_entropy(temperature: float) -> float:
        predicted = confidences(temperature).clip(1e-6, 1 - 1e-6)
        return float(-np.log(np.where(correct, predicted, 1 - predicted)).mean())

    best = min(TEMPERATURES, key=cross_entropy)
    before, after = (calibrate(confidences(value).tolist(), correct.tolist()) for value in (1.0, best))
    assert before is not None
    assert after is not None
    return best, before, after


def skipped(dev_set: DevSet, tuned: Tuned, min_confidence: float) -> tuple[int, int]:
    """Count utterances whose mean word confidence is below `min_confidence`, and the correct words in them."""
    stage, tokenizer = tuned.stages[-1], dev_set.description.tokenizer
    unsure = [
        scored
        for scored, tokens, rows in zip(stage.score.utterances, stage.tokens, dev_set.letters(), strict=True)
        if mean_confidence(tempered(tokens, rows, tuned.settings.temperature), tokenizer) < min_confidence
    ]
    return len(unsure), sum(pair.kind == "hit" for utterance in unsure for pair in utterance.pairs)


def as_rows(trials: Sequence[Trial]) -> Iterator[tuple[float, Mapping[float, Trial]]]:
    """Yield the rows of a grid: (LM weight, {word bonus: trial})."""
    for weight in sorted({trial.lm_weight for trial in trials}):
        row = sorted((trial for trial in trials if trial.lm_weight == weight), key=lambda trial: trial.word_bonus)
        yield weight, {trial.word_bonus: trial for trial in row}
