#!/usr/bin/env python3
"""How fast beam search is next to other decoders, on the same log-probs with the same beam and 3-gram."""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import measure

if TYPE_CHECKING:
    import numpy as np

BEAM = {"width": 100, "threshold": 20.0, "tokens": 10, "lm_weight": 0.5, "word_bonus": 1.0}
"""Options of all decoders; pyctcdecode prunes tokens by log-probability only (-10)."""

PYCTCDECODE = """
import json, logging, sys, time
logging.disable()
import numpy as np, pyctcdecode
job = json.load(sys.stdin)
decoder = pyctcdecode.build_ctcdecoder(
    job["labels"], job["lm"], job["words"], alpha=job["lm_weight"], beta=job["word_bonus"]
)
log_probs = list(np.load(job["log_probs"]).values())
options = {"beam_width": job["width"], "beam_prune_logp": -job["threshold"], "token_min_logp": -10.0}
decoder.decode(log_probs[0], **options)
started = time.process_time()
texts = [decoder.decode(rows, **options) for rows in log_probs]
print(json.dumps({"seconds": time.process_time() - started, "texts": texts}))
"""

FIRST_SEARCH = """
import time
started = time.perf_counter()
import numpy as np
from asr.decoding.beam.search import BeamSearch
from asr.text import CharTokenizer
BeamSearch(CharTokenizer(" a")).decode(np.zeros((9, 3), np.float32))
print(time.perf_counter() - started)
"""


@click.command()
@click.option(
    "--librispeech-model",
    type=click.Path(exists=True, path_type=Path),
    help="Model (.onnx, run folder or checkpoint) to decode the LibriSpeech dev set with as well.",
)
@click.option(
    "--pyctcdecode-python",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Python of an environment with pyctcdecode and kenlm, to measure pyctcdecode as well.",
)
@measure.json_option
def main(librispeech_model: Path | None, pyctcdecode_python: Path | None, *, as_json: bool) -> None:
    """Time beam search on one core, next to flashlight-text and pyctcdecode.

    The 3-gram is estimated from the training transcripts of the corpus. The AN4 test set is decoded with the shipped
    AN4 model. Times are CPU times.

    \b
    Example:
      python scripts/bench/decode.py --librispeech-model model.onnx
    """
    corpora = [("", measure.AN4_MODEL, measure.AN4 / "test.jsonl")]
    if librispeech_model is not None:
        corpora.append((", LibriSpeech", librispeech_model, measure.LIBRISPEECH / "dev.jsonl"))
    rates: dict[str, float] = {}
    notes = []
    for suffix, model, manifest in corpora:
        with tempfile.TemporaryDirectory() as folder:
            corpus_rates, remarks = _measure_decoders(model, manifest, pyctcdecode_python, Path(folder))
        rates |= {name + suffix: rate for name, rate in corpus_rates.items()}
        notes += [f"{manifest.parent.name}: {remark}" for remark in remarks]
    measure.show(measure.Result("audio seconds per second", rates, notes), as_json=as_json)


def _measure_decoders(
    model: Path, manifest: Path, pyctcdecode_python: Path | None, folder: Path
) -> tuple[dict[str, float], list[str]]:
    """Audio seconds per second of each decoder, and remarks."""
    import jiwer

    from asr.cli.evaluate import load
    from asr.decoding.beam.options import BeamOptions
    from asr.decoding.beam.search import BeamSearch
    from asr.evaluation.recognition import reader
    from asr.lm import arpa
    from asr.transcription import windows

    loaded = load(str(model))
    tokenizer = loaded.description.tokenizer
    utterances, read = measure.utterances(manifest), reader(loaded.description.sample_rate)
    log_probs = [windows.log_probs(loaded, read(utterance)) for utterance in utterances]
    references = [tokenizer.normalise(utterance.text) for utterance in utterances]
    duration_s = sum(utterance.duration for utterance in utterances)
    lm = folder / "lm.arpa"
    training_set = measure.utterances(manifest.with_name("train.jsonl"))
    _train_lm([tokenizer.normalise(utterance.text) for utterance in training_set], lm)
    ngram = arpa.read(lm)
    search = BeamSearch(tokenizer, BeamOptions(**BEAM, token_threshold=-10.0, closed=True), ngram=ngram)
    words = [word for word in ngram.words if not set(word) - set(tokenizer.alphabet)]

    systems: dict[str, Callable[[], list[str]]] = {
        "ours": lambda: [hypotheses[0].text for hypotheses in map(search.decode, log_probs)]
    }
    notes = []
    try:
        systems["flashlight"] = _flashlight(words, lm, log_probs, tokenizer.alphabet)
    except ImportError:
        notes.append("flashlight is not installed: pip install flashlight-text")
    texts: dict[str, list[str]] = {}

    def keep_texts(name: str, system: Callable[[], list[str]]) -> Callable[[], None]:
        def run() -> None:
            texts[name] = system()

        return run

    alternating = {name: keep_texts(name, system) for name, system in systems.items()}
    seconds = measure.alternate(alternating, clock=time.process_time)
    if pyctcdecode_python is not None:
        job = {"labels": ["", *tokenizer.alphabet], "lm": str(lm), "words": words, **BEAM}
        seconds["pyctcdecode"], texts["pyctcdecode"] = _pyctcdecode(pyctcdecode_python, job, log_probs, folder)
    else:
        notes.append("pyctcdecode is skipped: use --pyctcdecode-python")

    rates = {name: duration_s / value for name, value in seconds.items()}
    notes += [f"WER of {name}: {100 * jiwer.wer(references, hypotheses):.2f} %" for name, hypotheses in texts.items()]
    notes += [f"ours is {rates['ours'] / rate:.1f} times {name}" for name, rate in rates.items() if name != "ours"]
    wall = {}
    for threads in (1, 2):
        started = time.perf_counter()
        for _ in range(measure.RUNS):
            search.decode_batch(log_probs, threads=threads)
        wall[threads] = duration_s * measure.RUNS / (time.perf_counter() - started)
    notes.append(f"ours by wall time: {wall[1]:,.0f} with 1 thread, {wall[2]:,.0f} with 2")
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder / "numba")}
    first, second = (
        float(subprocess.check_output([sys.executable, "-c", FIRST_SEARCH], env=environment, text=True))
        for _ in range(2)
    )
    notes.append(f"first search, compiling included: {first:.1f} s; in the next process: {second:.2f} s")
    return rates, notes


def _train_lm(texts: Sequence[str], path: Path) -> None:
    """Write a 3-gram in ARPA format, estimated from the texts."""
    corpus = path.with_name("train.txt")
    corpus.write_text("".join(text + "\n" for text in texts))
    command = [sys.executable, "-m", "asr", "lm", "train", str(corpus), "-o", str(path)]
    subprocess.run(command, check=True, capture_output=True)


def _pyctcdecode(python: Path, job: dict, log_probs: "list[np.ndarray]", folder: Path) -> tuple[float, list[str]]:
    """CPU seconds and texts of pyctcdecode, in its own environment. Shape: N times (T_i, V)"""
    import numpy as np

    path = folder / "log_probs.npz"
    np.savez(path, *log_probs)
    done = subprocess.run(
        [str(python), "-c", PYCTCDECODE],
        check=True,
        input=json.dumps({**job, "log_probs": str(path)}),
        text=True,
        stdout=subprocess.PIPE,
    )
    output = json.loads(done.stdout.splitlines()[-1])
    return output["seconds"], output["texts"]


def _flashlight(
    words: Sequence[str], lm: Path, log_probs: "list[np.ndarray]", alphabet: str
) -> Callable[[], list[str]]:
    """A function that decodes all log-probs with the lexicon decoder of flashlight-text.

    Its words end in a space, so each utterance gets a frame of a space and one of a blank at its end.

    Shape: N times (T_i, V)

    Raises:
        ImportError: flashlight-text is not installed.
    """
    import numpy as np
    from flashlight.lib.text.decoder import (  # pyright: ignore[reportMissingImports]
        CriterionType,
        KenLM,
        LexiconDecoder,
        LexiconDecoderOptions,
        SmearingMode,
        Trie,
    )
    from flashlight.lib.text.dictionary import Dictionary  # pyright: ignore[reportMissingImports]

    dictionary = Dictionary([*words, "<unk>"])
    language_model = KenLM(str(lm), dictionary)
    space = alphabet.index(" ") + 1
    trie = Trie(len(alphabet) + 1, space)
    for word in words:
        index = dictionary.get_index(word)
        score = language_model.score(language_model.start(False), index)[1]
        trie.insert([alphabet.index(letter) + 1 for letter in word] + [space], index, score)
    trie.smear(SmearingMode.MAX)
    options = LexiconDecoderOptions(
        beam_size=BEAM["width"],
        beam_size_token=BEAM["tokens"],
        beam_threshold=BEAM["threshold"],
        lm_weight=BEAM["lm_weight"] * math.log(10),
        word_score=BEAM["word_bonus"],
        unk_score=-math.inf,
        sil_score=0.0,
        log_add=True,
        criterion_type=CriterionType.CTC,
    )
    unknown = dictionary.get_index("<unk>")
    decoder = LexiconDecoder(options, trie, language_model, space, 0, unknown, [], False)
    end = np.full((2, len(alphabet) + 1), -60, np.float32)
    end[0, space] = end[1, 0] = 0
    padded = [np.ascontiguousarray(np.concatenate([rows, end]), np.float32) for rows in log_probs]

    def text(rows: np.ndarray) -> str:
        results = decoder.decode(rows.ctypes.data, *rows.shape)
        return " ".join(dictionary.get_entry(word) for word in results[0].words if word >= 0) if results else ""

    return lambda: [text(rows) for rows in padded]


if __name__ == "__main__":
    main()
