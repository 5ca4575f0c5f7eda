"""`asr score`: compare two text files."""

import json
from pathlib import Path

import click

from asr.errors import DataError
from asr.scoring.summary import render, report
from asr.scoring.wer import score as score_texts


@click.command()
@click.argument("reference", metavar="REF", type=click.Path(path_type=Path))
@click.argument("hypothesis", metavar="HYP", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; its rates are fractions, 0.05 for 5 %.")
def score(reference: Path, hypothesis: Path, as_json: bool) -> None:
    """Compare the text that was said (REF) with the text that was recognised (HYP).

    Both are UTF-8 text files with one utterance a line; line 1 is compared with line 1, and so on. The text is
    compared as it is: "The" and "the" differ, and so do "end" and "end.". Rates use the fewest edits that turn one
    text into the other, summed over all utterances.

    \b
    Example:
      asr score said.txt recognised.txt
    """
    references, hypotheses = _lines(reference), _lines(hypothesis)
    if len(references) != len(hypotheses):
        raise DataError(
            f"Different numbers of lines: {reference} has {len(references):,} and {hypothesis} {len(hypotheses):,}; "
            "line by line they must belong together, with an empty line where nothing was said or recognised."
        )
    result = score_texts(references, hypotheses)
    click.echo(json.dumps(report(result), indent=2) if as_json else render(result))


def _lines(path: Path) -> list[str]:
    """The lines of a text file; its last line may end in a newline or not."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.") from error
    if not content:
        raise DataError(f"{path} is empty: give a text file with one utterance a line.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: the byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8."
        ) from error
    return text.removesuffix("\n").split("\n")
