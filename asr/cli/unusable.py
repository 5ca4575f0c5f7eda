"""What commands say of audio that cannot be used: one table, and the share that may be left out without an error."""

import sys
from collections import Counter
from collections.abc import Mapping

import click

MAX_SHARE = 0.01
"""Share of a corpus that may be unusable without an error."""

skip_bad = click.option(
    "--skip-bad", is_flag=True, help="Leave out audio that cannot be used, however much; exit with status 0."
)


def report(reasons: Mapping[str, str], total: int, remedy: str, *, skip_bad: bool) -> None:
    """List what was left out; exit with status 1 if that is much and was not allowed.

    Args:
        reasons: id of each utterance that was left out -> why.
        total: the number of utterances, these included.
        remedy: what is there, and how to do better.
        skip_bad: whether any share is allowed.
    """
    if not reasons:
        return
    click.echo(f"Left out: {len(reasons):,} of {total:,} utterances, whose audio cannot be used:", err=True)
    for reason, count in Counter(reasons.values()).items():
        click.echo(f"  {reason}" + (f" ({count:,} utterances)" if count > 1 else ""), err=True)
    if len(reasons) > MAX_SHARE * total and not skip_bad:
        click.echo(f"Error: That is more than {100 * MAX_SHARE:g} %. {remedy}, or accept it with --skip-bad.", err=True)
        sys.exit(1)
