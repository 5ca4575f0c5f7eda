#!/usr/bin/env python3
"""How long a 3 s file takes from command to text."""

import sys
from pathlib import Path

import click
import measure


@click.command()
@click.option(
    "--plain-python",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=sys.executable,
    help="Python of an environment with the plain install of asr. If scipy is installed, numba imports it.",
)
@measure.json_option
def main(plain_python: Path, *, as_json: bool) -> None:
    """Time `asr transcribe` on a 3 s file as a whole process, next to `import torch, torchaudio`.

    \b
    Example:
      python scripts/bench/startup.py --plain-python plain/bin/python
    """
    transcribe = [str(plain_python), "-m", "asr", "transcribe", str(measure.EXAMPLE)]
    ours = {"asr transcribe": transcribe, "asr transcribe --beam 0": [*transcribe, "--beam", "0"]}
    peer = "import torch, torchaudio"
    costs = measure.alternate_processes({**ours, peer: [sys.executable, "-c", peer]})
    notes = [f"peak memory of {name}: {cost.megabytes:.0f} MB" for name, cost in costs.items()]
    notes += [f"{name}: {costs[name].seconds / costs[peer].seconds:.2f} of the import" for name in ours]
    seconds = {name: cost.seconds for name, cost in costs.items()}
    measure.show(measure.Result("seconds", seconds, notes), as_json=as_json)


if __name__ == "__main__":
    main()
