#!/usr/bin/env python3
"""How fast, and in how much memory, hours of speech are transcribed."""

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
import measure

if TYPE_CHECKING:
    import numpy as np

SAMPLE_RATE = 16_000


@click.command()
@click.option(
    "--float-model",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The default model in 32 bits, to measure it as well.",
)
@measure.json_option
def main(float_model: Path | None, *, as_json: bool) -> None:
    """Transcribe one hour and four hours of real speech with the default model, `asr transcribe` as a whole process.

    Decoding is greedy, or with beam search and language model as tuned. The table also shows pocketsphinx on two
    minutes of the same speech, and the maximum rate of matrix products of the machine.

    \b
    Example:
      python scripts/bench/hours.py --float-model model.onnx
    """
    import numpy as np
    import soundfile

    import asr
    from asr import models

    precisions = {"int8": models.find(models.DEFAULT)}
    if float_model is not None:
        precisions["32 bits"] = float_model
    rates, notes = {}, []
    with tempfile.TemporaryDirectory() as folder:
        recordings = {hours: _join_speech(Path(folder) / f"{hours}.wav", hours) for hours in (1, 4)}
        for hours, recording in recordings.items():
            for precision, model in precisions.items():
                if hours > 1 and precision != "int8":
                    continue
                for decoding, options in {"greedy": ["--beam", "0", "--no-lm"], "beam + LM": []}.items():
                    command = [sys.executable, "-m", "asr", "transcribe", str(recording), "--model", str(model)]
                    cost = measure.alternate_processes({"": [*command, *options]}, runs=1)[""]
                    name = f"{hours} h, {precision}, {decoding}"
                    rates[name] = 3600 * hours / cost.seconds
                    notes.append(f"peak memory, {name}: {cost.megabytes:.0f} MB")
        speech, _ = soundfile.read(recordings[1], frames=120 * SAMPLE_RATE, dtype="int16")
    description = asr.load(str(precisions["int8"])).model.description
    operations_per_audio_second = 2 * description.parameters / description.frame_shift_s
    for precision, peak in _matrix_product_rates().items():
        notes.append(f"maximum rate of matrix products, {precision}: {peak / 1e9:,.0f} billion operations per second")
        if (rate := rates.get(f"1 h, {precision}, greedy")) is not None:
            notes.append(f"  1 h, greedy, reaches {100 * rate * operations_per_audio_second / peak:.1f} % of it")
    try:
        rates["2 min, pocketsphinx"] = 120 / measure.pocketsphinx_seconds(np.split(speech, 12))
    except ImportError:
        notes.append("pocketsphinx is not installed: pip install pocketsphinx")
    measure.show(measure.Result("audio seconds per second", rates, notes), as_json=as_json)


def _join_speech(path: Path, hours: int) -> Path:
    """Write utterances of LibriSpeech, one after the other, to a file of that length, and return its path."""
    import soundfile

    from asr.evaluation.recognition import reader

    read, remaining = reader(SAMPLE_RATE), 3600 * SAMPLE_RATE * hours
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1) as file:
        for utterance in measure.utterances(measure.LIBRISPEECH / "train.jsonl"):
            if not remaining:
                break
            samples: np.ndarray = read(utterance)[:remaining]
            file.write(samples)
            remaining -= len(samples)
    return path


def _matrix_product_rates() -> dict[str, float]:
    """Operations per second, multiplications and additions, of onnxruntime for a large product with constant weights.

    The precisions do not take turns: the idle threads of one session would slow down the other.
    """
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    size, rates = 2048, {}
    for precision, operator, input_type, weight_type, output_type in (
        ("32 bits", "MatMul", TensorProto.FLOAT, np.float32, TensorProto.FLOAT),
        ("int8", "MatMulInteger", TensorProto.UINT8, np.int8, TensorProto.INT32),
    ):
        a = helper.make_tensor_value_info("a", input_type, [size, size])
        b = numpy_helper.from_array(np.ones((size, size), weight_type), "b")
        c = helper.make_tensor_value_info("c", output_type, [size, size])
        graph = helper.make_graph([helper.make_node(operator, ["a", "b"], ["c"])], "product", [a], [c], [b])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        inputs = {"a": np.ones((size, size), helper.tensor_dtype_to_np_dtype(input_type))}
        seconds = measure.alternate({"": lambda session=session, inputs=inputs: session.run(None, inputs)})
        rates[precision] = 2 * size**3 / seconds[""]
    return rates


if __name__ == "__main__":
    main()
