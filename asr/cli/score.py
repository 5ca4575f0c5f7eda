"""`asr score`: compare two text files."""

import json
from pathlib import Path

import click

from asr.cli import options
from asr.scoring.alignment import Rule
from asr.scoring.summary import render, report
from asr.scoring.texts import read_pair
from asr.scoring.wer import score as score_texts


@click.command()
@click.argument("reference", metavar="REF", type=click.Path(path_type=Path))
@click.argument("hypothesis", metavar="HYP", type=click.Path(path_type=Path))
@options.align
@options.max_wer
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; its rates are fractions, 0.05 for 5 %.")
def score(reference: Path, hypothesis: Path, rule: Rule, max_wer: float | None, as_json: bool) -> None:
    """Compare the text that was said (REF) with the text that was recognised (HYP).

    Both are UTF-8 text files with one utterance a line; line 1 is compared with line 1, and so on. Files that end in
    .trn ("one two (ann-001)") or .ctm ("file channel start duration word") are matched by their ids, in any order. Each
    id must be on both sides and only once; but a ctm file, in which silence leaves no line, may lack some. A speaker is
    the part of a trn id before the first "-" or, without one, the first "_".

    The text is compared as it is, in any script: "The" and "the" differ, and so do "end" and "end."; words are what
    white space separates. Words beside an empty reference are insertions, words beside an empty hypothesis deletions.
    Errors are summed over all utterances; character errors are always the fewest edits, spaces counted.

    \b
    Example:
      asr score said.txt recognised.txt
    """
    texts = read_pair(reference, hypothesis)
    result = score_texts(texts.references, texts.hypotheses, ids=texts.ids, speakers=texts.speakers, rule=rule)
    click.echo(json.dumps(report(result), indent=2) if as_json else render(result))
    options.check_max_wer(result, max_wer)
