"""`asr compare`."""

from pathlib import Path

import click

from asr.scoring.alignment import Rule


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
    "--align",
    "rule",
    type=click.Choice(["fewest", "sclite"]),
    help="Word alignment.  [default: as in the reports]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object that lists every changed utterance.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, for example for a pull request.")
def compare(a: Path, b: Path, *, output_dir: Path | None, rule: Rule | None, as_json: bool, as_markdown: bool) -> None:
    """Compare two evaluated systems, with significance tests.

    A and B are reports of `asr evaluate -o`: the folder or its report.json. Utterances are matched by id and must have
    the same references.

    Prints the change in WER (B minus A) with its bootstrap interval, the probability that B is better (Bisani and Ney
    2004), NIST's matched-pairs test MAPSSWE (Gillick and Cox 1989, the statistic of sc_stats), a sign test over
    utterances (ties ignored), and the utterances that changed most. The bootstrap resamples speakers if there are at
    least four, otherwise utterances.

    -o writes an HTML page that shows both systems side by side and works offline.

    \b
    Example:
      asr compare report-old report-new -o comparison
    """
    import json

    from asr.errors import DataError
    from asr.report.compare import write_comparison
    from asr.scoring.compare import compare as compare_scores
    from asr.scoring.compare import read_reports
    from asr.scoring.verdict import markdown, render

    if as_json and as_markdown:
        raise DataError("--json and --markdown are mutually exclusive: give one of them.")
    comparison = compare_scores(*read_reports(a, b, rule), names=(str(a), str(b)))
    if output_dir is not None:
        write_comparison(comparison, a, b, output_dir)
    if as_json:
        click.echo(json.dumps(comparison.to_dict(), ensure_ascii=False))
    else:
        click.echo(markdown(comparison) if as_markdown else render(comparison))
        if output_dir is not None:
            click.echo(f"Page: {output_dir / 'index.html'}", err=as_markdown)
