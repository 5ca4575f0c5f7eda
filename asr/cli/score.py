"""`asr score`: score a hypothesis text against its reference."""

import json
import shlex
from pathlib import Path

import click

from asr.cli import options
from asr.scoring.alignment import Rule
from asr.scoring.summary import render, report
from asr.scoring.texts import ENGLISH, LOWER_CASE, UNCHANGED, Normalisation, read_pair
from asr.scoring.wer import score as score_texts


@click.command()
@click.argument("reference", metavar="REF", type=click.Path(path_type=Path))
@click.argument("hypothesis", metavar="HYP", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output-dir",
    type=click.Path(path_type=Path),
    help="Write index.html, report.json, report.md, ref.trn and hyp.trn to this folder.",
)
@options.align
@options.readable
@options.normalisation
@options.max_wer
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; rates are fractions (0.05 for 5 %).")
def score(
    reference: Path,
    hypothesis: Path,
    *,
    output_dir: Path | None,
    rule: Rule,
    readable: bool,
    normalisation: Normalisation,
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

    --readable also scores the F1 of each punctuation mark and of capitals, in the texts as they are, whatever else is
    normalised.

    -o writes the report of `asr evaluate`, without audio: an HTML page that shows every error and works offline, and
    what `asr compare` reads.

    \b
    Example:
      asr score reference.txt hypothesis.txt -o report
    """
    from asr.evaluation.readable import render as render_readable
    from asr.evaluation.readable import score_readable
    from asr.report import output_folder
    from asr.report import texts as text_report
    from asr.report.document import origin

    if output_dir is not None:
        output_folder.prepare(output_dir)
    given = read_pair(reference, hypothesis)
    texts = given.changed(normalisation.change)
    result = score_texts(texts.references, texts.hypotheses, ids=texts.ids, speakers=texts.speakers, rule=rule)
    written = None
    if readable:
        written = score_readable(given.references, given.hypotheses, ids=given.ids, speakers=given.speakers)
    if as_json:
        click.echo(json.dumps(report(result) | ({"readable": written.to_dict()} if written else {}), indent=2))
    else:
        click.echo(render(result) + (f"\n\n{render_readable(written)}" if written else ""))
    if output_dir is not None:
        document = text_report.build(
            given,
            result,
            reference=reference,
            hypothesis=hypothesis,
            normalisation=normalisation,
            readable=written,
            origin=origin(_command(reference, hypothesis, rule, normalisation, readable=readable)),
        )
        output_folder.write_report(output_dir, document)
        click.echo(f"Report: {output_dir / 'index.html'}", err=as_json)
    options.check_max_wer(result, max_wer)


def _command(reference: Path, hypothesis: Path, rule: Rule, normalisation: Normalisation, *, readable: bool) -> str:
    """The command that reproduces the numbers of a report."""
    words = ["asr", "score", str(reference), str(hypothesis)]
    words += [] if rule == "fewest" else ["--align", rule]
    words += ["--readable"] if readable else []
    return shlex.join(words + {ENGLISH: ["--normalise"], LOWER_CASE: ["--ignore-case"], UNCHANGED: []}[normalisation])
