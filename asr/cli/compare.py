"""`asr compare`."""

from pathlib import Path

import click

from asr.cli import options
from asr.scoring.alignment import Rule
from asr.scoring.texts import UNCHANGED, Normalisation


@click.command()
@click.argument("a", metavar="A", type=click.Path(path_type=Path))
@click.argument("b", metavar="B", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output-dir",
    type=click.Path(path_type=Path),
    help="Write index.html, comparison.json and comparison.md to this folder.",
)
@click.option(
    "--reference",
    metavar="REF",
    type=click.Path(path_type=Path),
    help="A and B are texts: score both against this reference, as `asr score` does.",
)
@click.option(
    "--align",
    "rule",
    type=click.Choice(["fewest", "sclite"]),
    help="Word alignment.  [default: as in the reports; fewest for texts]",
)
@options.normalisation
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object that lists every changed utterance.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, for example for a pull request.")
def compare(
    a: Path,
    b: Path,
    *,
    output_dir: Path | None,
    reference: Path | None,
    rule: Rule | None,
    normalisation: Normalisation,
    as_json: bool,
    as_markdown: bool,
) -> None:
    """Compare two evaluated systems, with significance tests.

    A and B are reports of `asr evaluate -o` or `asr score -o`: the folder or its report.json. Utterances are matched by
    id and must have the same references. With --reference, A and B are texts in the formats of `asr score`.

    A folder of several reports, such as reports/lstm with reports/lstm/1 and reports/lstm/2, is a system that was
    trained several times, for example with other random seeds. Its WER is the mean of its runs, and interval and
    probability take into account that other runs would differ.

    Prints the change in WER (B minus A) with its bootstrap interval, the probability that B is better (Bisani and Ney
    2004), NIST's matched-pairs test MAPSSWE (Gillick and Cox 1989, the statistic of sc_stats), a sign test over
    utterances (ties ignored), and the utterances that changed most. The bootstrap resamples speakers if there are at
    least four, otherwise utterances. The last sentence is the conclusion, by MAPSSWE if it has at least 50 segments,
    otherwise by the sign test; with several runs, by the interval alone.

    -o writes an HTML page that shows both systems side by side and works offline.

    \b
    Example:
      asr compare report-old report-new -o comparison
    """
    import json

    from asr.errors import DataError
    from asr.report import systems
    from asr.report.compare import write_comparison
    from asr.scoring.runs_verdict import render_runs, runs_markdown
    from asr.scoring.verdict import markdown, render

    if as_json and as_markdown:
        raise DataError("--json and --markdown are mutually exclusive: give one of them.")
    if reference is not None:
        pair = systems.read_texts(reference, a, b, rule or "fewest", normalisation)
    elif normalisation is UNCHANGED:
        runs_a, runs_b = systems.reports_in(a), systems.reports_in(b)
        read = systems.read_reports(*runs_a, *runs_b, rule=rule)
        if len(read) > 2:
            if output_dir is not None:
                raise DataError("-o makes a page of two reports, and here are more: redirect --markdown or --json.")
            pooled = systems.compare_runs((a, b), (read[: len(runs_a)], read[len(runs_a) :]))
            show = runs_markdown if as_markdown else render_runs
            click.echo(json.dumps(pooled.to_dict(), ensure_ascii=False) if as_json else show(pooled))
            return
        pair = read[0], read[1]
    else:
        raise DataError(
            "--normalise and --ignore-case are for texts with --reference: a report has its own normalisation."
        )
    comparison = systems.compare(*pair)
    if output_dir is not None:
        write_comparison(comparison, pair, output_dir)
    if as_json:
        click.echo(json.dumps(comparison.to_dict(), ensure_ascii=False))
    else:
        click.echo(markdown(comparison) if as_markdown else render(comparison))
        if output_dir is not None:
            click.echo(f"Page: {output_dir / 'index.html'}", err=as_markdown)
