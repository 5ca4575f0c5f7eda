"""`python -m asr` is the command line."""

from asr.cli import main

main(prog_name="asr")
