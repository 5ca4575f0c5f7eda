#!/usr/bin/env python3
"""What a search's lists of texts hold: the WER of their first, and of their best if one knew it (the oracle).

    python scripts/n_best_oracle.py english data/mine/dev.jsonl --texts 100

With the model's own language model and weights. --no-merging keeps prefixes with one future apart.
"""

import argparse
from pathlib import Path

from asr import models
from asr.data import manifest
from asr.decoding import build
from asr.decoding.beam.options import BeamOptions
from asr.decoding.beam.search import BeamSearch
from asr.evaluation import tuning
from asr.models.session import OnnxModel
from asr.scoring.wer import score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--texts", type=int, default=100, metavar="N")
    parser.add_argument("--beam", type=int, default=100, metavar="N")
    parser.add_argument("--no-merging", action="store_true")
    given = parser.parse_args()
    model = OnnxModel(models.find(given.model), threads=1)
    settings = model.description.decoding
    options = BeamOptions(
        width=given.beam,
        lm_weight=settings.lm_weight,
        word_bonus=settings.word_bonus,
        recombine=not given.no_merging,
    )
    search = BeamSearch(model.description.tokenizer, options, ngram=build.own_language_model(model.description))
    utterances = [utterance for path in given.manifests for utterance in manifest.read(path)]
    heard = tuning.run_model(model, utterances)
    first = best = words = 0
    for rows, reference in zip(heard.log_probs, heard.references, strict=True):
        counts = [score([reference], [each.text]).words for each in search.decode(rows, given.texts)]
        first += counts[0].errors
        best += min(each.errors for each in counts)
        words += counts[0].reference
    print(f"{len(utterances)} utterances, {given.texts} texts each: first {100 * first / words:.2f} %, ", end="")
    print(f"best {100 * best / words:.2f} %")


if __name__ == "__main__":
    main()
