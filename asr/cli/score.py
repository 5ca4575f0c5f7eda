"""`asr score`: score a hypothesis text against its reference."""

import json
from pathlib import Path

import click

from asr import text as text_module
from asr.cli import options
from asr.scoring.alignment import Rule
from asr.scoring.summary import render, report
from asr.scoring.texts import read_pair
from asr.scoring.wer import score as score_texts


@click.command()
@click.argument("reference", metavar="REF", type=click.Path(path_type=Path))
@click.argument("hypothesis", metavar="HYP", type=click.Path(path_type=Path))
@options.align
@options.normalise
@click.option("--ignore-case", is_flag=True, help="Compare in lower case, as sclite does unless given -s.")
@options.max_wer
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; rates are fractions (0.05 for 5 %).")
def score(
    reference: Path,
    hypothesis: Path,
    *,
    rule: Rule,
    normalise: bool,
    ignore_case: bool,
    max_wer: float | None,
    as_json: bool,
) -> None:
    """Score a hypothesis text (HYP) against its reference (REF): word, character and sentence error rates.

    Both are UTF-8 text files with one utterance per line, compared line by line. Files that end in .trn ("one two
    (ann-001)") or .ctm ("file channel start duration word") are matched by id, in any order. Each id must occur exactly
    once in both files; only a ctm file, in which silence has no line, may lack ids. In trn ids, the speaker is the part
    before the first "-" or, without one, before the first "_".

    Unless --normalise is given, "The" and "the" differ, and so do "end" and "end."; words are separated by white space.
    Words of an utterance with an empty reference are insertions, with an empty hypothesis deletions. Errors are summed
    over all utterances. Character errors always use the fewest edits; spaces count as characters.

    \b
    Example:
      asr score reference.txt hypothesis.txt
    """
    texts = read_pair(reference, hypothesis)
    if normalise:
        texts = texts.changed(lambda text: text_module.normalise(text, text_module.ENGLISH))
    elif ignore_case:
        texts = texts.changed(str.lower)
    result = score_texts(texts.references, texts.hypotheses, ids=texts.ids, speakers=texts.speakers, rule=rule)
    click.echo(json.dumps(report(result), indent=2) if as_json else render(result))
    options.check_max_wer(result, max_wer)
