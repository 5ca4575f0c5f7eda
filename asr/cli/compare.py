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
    help="Write index.html, comparison.json and comparison.md into this folder.",
)
@click.option(
    "--align",
    "rule",
    type=click.Choice(["fewest", "sclite"]),
    help="How words are aligned; by default as in the reports.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with every utterance that changed.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, for a pull request.")
def compare(a: Path, b: Path, *, output_dir: Path | None, rule: Rule | None, as_json: bool, as_markdown: bool) -> None:
    """Is one of two systems better, on the same utterances? A and B are reports: folders, or the report.json in them.

    Prints the difference of the word error rates with its bootstrap interval, by speaker where four or more are known,
    in which share of the draws B is better (Bisani and Ney 2004), NIST's matched-pairs test MAPSSWE with the statistic
    of sc_stats (Gillick and Cox 1989), a sign test over utterances without those in which both have as many errors, and
    the utterances that changed most. Utterances are matched by id and must have the same references. With -o it leaves
    a page that shows both systems side by side and needs no network.

    \b
    Example:
      asr compare report-old report-new -o comparison
    """
    import json

    from asr.errors import DataError
    from asr.report.compare import write_comparison
    from asr.scoring.compare import compare as run
    from asr.scoring.compare import read_reports
    from asr.scoring.verdict import markdown, render

    if as_json and as_markdown:
        raise DataError("--json and --markdown exclude each other: give one.")
    comparison = run(*read_reports(a, b, rule), names=(str(a), str(b)))
    if output_dir is not None:
        write_comparison(comparison, a, b, output_dir)
    if as_json:
        click.echo(json.dumps(comparison.to_dict(), ensure_ascii=False))
    else:
        click.echo(markdown(comparison) if as_markdown else render(comparison))
