#!/usr/bin/env python3
"""A model against pocketsphinx with its own US English model, on the same utterances.

    pip install pocketsphinx
    python scripts/pocketsphinx_wer.py MODEL MANIFEST...

For each manifest both word error rates with their 95 % intervals, the paired difference, and the seconds of audio that
each reads in a second; each runs on one core, ours decoded as it was tuned.
"""

import argparse
import time
from pathlib import Path

import pocketsphinx  # pyright: ignore[reportMissingImports]  # a peer, not a part
from rich.console import Console
from rich.progress import track

import asr
from asr.data import manifest
from asr.evaluation.recognition import reader, recognise, score_transcripts
from asr.scoring.compare import compare
from asr.scoring.intervals import Interval
from asr.scoring.summary import report
from asr.scoring.wer import score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("manifests", nargs="+", type=Path)
    given = parser.parse_args()
    ours = asr.load(given.model, threads=1)
    peer = pocketsphinx.Decoder(samprate=16_000, loglevel="FATAL")
    read = reader(16_000)
    normalise = ours.model.description.tokenizer.normalise
    for path in given.manifests:
        utterances = manifest.read(path)
        duration_s = sum(utterance.duration for utterance in utterances)
        recognise(ours.model, utterances[:1], ours.decoder)  # compiles the search
        started = time.process_time()
        ours_found = score_transcripts(
            ours.model.description, utterances, recognise(ours.model, utterances, ours.decoder)
        )
        ours_s = time.process_time() - started
        texts = []
        started = time.process_time()
        for utterance in track(utterances, "pocketsphinx", console=Console(stderr=True), transient=True):
            peer.start_utt()
            peer.process_raw((read(utterance) * 32767).astype("int16").tobytes(), full_utt=True)
            peer.end_utt()
            found = peer.hyp()
            texts.append(normalise(found.hypstr) if found else "")
        peer_s = time.process_time() - started
        peer_found = score(
            [normalise(utterance.text) for utterance in utterances],
            texts,
            ids=[utterance.id for utterance in utterances],
            speakers=[utterance.speaker for utterance in utterances],
        )
        print(f"{path}: {len(utterances)} utterances, {duration_s:,.0f} s")
        for name, found, seconds in (("ours", ours_found, ours_s), ("pocketsphinx", peer_found, peer_s)):
            words = report(found)["words"]
            interval = words["interval"]
            low, high = 100 * interval["low"], 100 * interval["high"]
            print(
                f"  {name:12}  {100 * words['rate']:6.2f} % ({words['errors']:,} of {words['reference']:,} words; "
                f"{low:.2f} - {high:.2f} %), {duration_s / seconds:,.1f} s in a second"
            )
        difference = compare(peer_found, ours_found).difference
        if difference is not None and isinstance(difference.interval, Interval):
            low, high = 100 * difference.interval.low, 100 * difference.interval.high
            print(f"  difference    {100 * difference.rate:+.2f} points ({low:+.2f} to {high:+.2f})")


if __name__ == "__main__":
    main()
