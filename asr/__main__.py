"""`python -m asr` is the command line."""

from asr.cli.entry import run

if __name__ == "__main__":
    run()
