"""The user's options as a command line."""

from pathlib import Path

from click.testing import CliRunner

from asr.cli import options
from asr.decoding.options import BOOST, DecodingOptions


def test_the_command_line_gives_the_options_back() -> None:
    import click

    chosen: list[DecodingOptions] = []

    @click.command()
    @options.decoding
    def command(decoding: DecodingOptions) -> None:
        chosen.append(decoding)

    wanted = DecodingOptions(
        beam=7, lm=Path("lm.bin"), rescore=Path("b.onnx"), hot_words={"kaldi": BOOST, "a b": 3.5}, min_confidence=0.25
    )
    for value in (wanted, DecodingOptions(), DecodingOptions(beam=0, no_lm=True)):
        assert CliRunner().invoke(command, value.command_line()).exit_code == 0
        assert chosen.pop() == value
