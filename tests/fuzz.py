"""Fuzz what is opened besides audio (`audio_corpus.py`): files that were changed at random, each given by its number.

    python tests/fuzz.py models --count 3000             # metadata and graphs of acoustic models
    python tests/fuzz.py language-models --count 3000    # packed, small and ARPA files, plain and compressed
    python tests/fuzz.py data --count 3000               # manifests, lists, recipes, tars, trn, ctm and plain texts

Each is given to the command of `asr` that reads it, in another process with limits of time and memory. Allowed is what
a user may meet: the command does its work, or ends with one sentence and the status 1 or 2. Anything else (a crash, a
hang, a traceback, too much memory, a file written elsewhere) is printed with the number, and the exit status is 1.
"""

import argparse
import bz2
import faulthandler
import gc
import gzip
import io
import json
import lzma
import os
import re
import resource
import shutil
import signal
import sys
import tarfile
import tempfile
import time
import warnings
import wave
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from audio_corpus import MUTATIONS, Random, Verdict, at, peak_mb, report, try_all

CPU_LIMIT_S = 20.0
"""CPU time limit per case; wall-clock time would depend on the load of the machine."""
MEMORY_LIMIT_BYTES = 4 * 2**30
"""Limit of what a process may allocate."""
MAX_PEAK_MB = 1500
"""Maximum resident memory of the process."""
MAX_SENTENCE = 5100
"""Longest line of a message, in characters."""


@dataclass(frozen=True)
class Case:
    """Files to write to a folder, and the command that reads them."""

    kind: str
    files: dict[str, bytes]
    command: list[str]
    """Arguments of `asr`, relative to the folder. What it writes belongs into `out`."""


# ---------------------------------------------------------------- changing bytes and texts

ODD = (
    *(
        0,
        -1,
        1e400,
        -1e400,
        1e-400,
        -0.0,
        1e5,
        9999999999999999999999,
        3_000_000_000,
        "nan",
        "null",
        "true",
        "0x7f",
        "1_0",
    ),
    *(
        ".",
        "..",
        "~",
        "-",
        "--help",
        "[]",
        "{}",
        "%s",
        "{0}",
        "$HOME",
        "../../x",
        "/etc/passwd",
        "\\",
        "'",
        ";",
        ":",
        "=",
    ),
    *(
        ",",
        '"',
        '""',
        "",
        "*a",
        "&a",
        "!!python/object:os.system",
        "\0",
        "\t",
        "\x1b]0;t\x07",
        "\u202e",
        "\ud800",
        "\u2028",
    ),
    *("\U0001f600", "a" * 300),
)
"""Tokens instead of others."""

TOKEN = re.compile(rb"-?\d+\.?\d*|\"[^\"\n]*\"|[^\s\"{}\[\],:]+")


def odd(random: Random) -> bytes:
    return str(ODD[random.integers(len(ODD))]).encode(errors="surrogatepass")


def with_odd_token(data: bytes, random: Random) -> bytes:
    """Replace a number, a string or a word."""
    tokens = list(TOKEN.finditer(data[:100_000]))
    if not tokens:
        return data + odd(random)
    token = tokens[random.integers(len(tokens))]
    new = odd(random)
    if token.group().startswith(b'"') and random.random() < 0.7:
        new = b'"' + new + b'"'
    return data[: token.start()] + new + data[token.end() :]


def with_lines(data: bytes, random: Random) -> bytes:
    """Delete, repeat or exchange lines."""
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    first, second = (int(random.integers(len(lines))) for _ in range(2))
    choice = random.integers(4)
    if choice == 0:
        del lines[first]
    elif choice == 1:
        lines[first:first] = [lines[second]] * int(random.choice([1, 2, 1000]))
    elif choice == 2:
        lines[first], lines[second] = lines[second], lines[first]
    else:
        lines[first] = lines[first].rstrip(b"\n") + lines[second]
    return b"".join(lines)


def with_nesting(data: bytes, random: Random) -> bytes:
    """Insert brackets, many of them."""
    place, depth = at(data, random), int(random.choice([1, 50, 100_000]))
    opening, closing = (b"[", b"]") if random.random() < 0.5 else (b'{"a":', b"}")
    return data[:place] + opening * depth + closing * depth * int(random.integers(2)) + data[place:]


TEXT_MUTATIONS = (with_odd_token, with_odd_token, with_odd_token, with_lines, with_lines, with_nesting)
BYTE_MUTATIONS = tuple(mutation for mutation in MUTATIONS if mutation.__name__ != "with_other_tail")


def changed(data: bytes, random: Random, text: bool = True) -> tuple[bytes, str]:
    """Change a file one to three times. Returns it with the names of the changes."""
    steps = []
    for _ in range(random.choice([1, 2, 3], p=[0.6, 0.2, 0.2])):
        pool = TEXT_MUTATIONS if text and random.random() < 0.7 else BYTE_MUTATIONS
        mutation = pool[random.integers(len(pool))]
        data = mutation(data, random)
        steps.append(mutation.__name__.removeprefix("with_"))
    return data, ", ".join(steps)


# ---------------------------------------------------------------- models


@cache
def sound() -> bytes:
    """A WAV file of 1.5 s of noise."""
    samples = np.random.default_rng(0).normal(0, 3000, 24_000).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


ALPHABET = " 'abcdefghijklmnopqrstuvwxyz"


@cache
def metadata() -> dict[str, str]:
    from asr.models.decoding_settings import Settings
    from asr.models.description import AcousticDescription
    from asr.text import CharTokenizer

    return AcousticDescription(
        name="toy",
        tokenizer=CharTokenizer(ALPHABET),
        about="A toy.",
        licence="none",
        parameters=1000,
        made_with="0",
        created="2026-01-01",
        scores={
            "evaluations": [
                {"corpus": "c", "decoding": "greedy", "utterances": 1, "duration_s": 1.0, "words": 9}
                | {"wer": 0.1, "cer": 0.1, "low": 0.0, "high": 0.2, "by": "speaker", "groups": []}
            ]
        },
        recipe={"name": "toy", "model": {"context": {"layers": 1}}},
        sample_rate=16_000,
        frame_shift_s=0.04,
        decoding=Settings(beam=4),
    ).to_metadata()


@cache
def model():
    """A small acoustic model: a convolution, an LSTM, a linear layer and the log-softmax."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    tokens, hidden = len(ALPHABET) + 1, 8

    def weights(name: str, *shape: int):
        return numpy_helper.from_array(random.normal(0, 0.3, shape).astype(np.float32), name)

    def integers(name: str, *values: int):
        return numpy_helper.from_array(np.array(values, np.int64), name)

    nodes = [
        helper.make_node("Unsqueeze", ["waveform", "one"], ["x1"]),
        helper.make_node("Pad", ["x1", "pads"], ["x2"]),
        helper.make_node("Conv", ["x2", "kernel"], ["x3"], strides=[640]),
        helper.make_node("Relu", ["x3"], ["x4"]),
        helper.make_node("Transpose", ["x4"], ["x5"], perm=[2, 0, 1]),
        helper.make_node("LSTM", ["x5", "W", "R"], ["y1", "", ""], hidden_size=hidden),
        helper.make_node("Squeeze", ["y1", "one"], ["y2"]),
        helper.make_node("Transpose", ["y2"], ["y3"], perm=[1, 0, 2]),
        helper.make_node("MatMul", ["y3", "head"], ["y4"]),
        helper.make_node("LogSoftmax", ["y4"], ["log_probs"], axis=-1),
        helper.make_node("Add", ["lengths", "less"], ["l1"]),
        helper.make_node("Div", ["l1", "step"], ["output_lengths"]),
    ]
    constants = [
        *(integers("one", 1), integers("pads", 0, 0, 0, 0, 0, 639), integers("less", 639), integers("step", 640)),
        *(weights("kernel", hidden, 1, 640), weights("W", 1, 4 * hidden, hidden), weights("R", 1, 4 * hidden, hidden)),
        weights("head", hidden, tokens),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [
            helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", "samples"]),
            helper.make_tensor_value_info("lengths", TensorProto.INT64, ["batch"]),
        ],
        [
            helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, ["batch", "frames", tokens]),
            helper.make_tensor_value_info("output_lengths", TensorProto.INT64, ["batch"]),
        ],
        constants,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(made, metadata())
    return onnx.load_from_string(made.SerializeToString())


OPERATORS = (
    "Relu Identity Neg Exp Log Sqrt Not Abs Transpose Flatten Expand Tile Gather Loop If Scan ConstantOfShape Range "
    "Reshape NonZero Concat Split Slice Resize Conv ConvTranspose MaxPool MatMul Gemm LSTM GRU RNN Softmax TopK OneHot "
    "Cast Pow Mod"
)
NUMBERS = (0, 1, -1, 2, 3, 639, 2**16, 2**24, 2**31 - 1, 2**31, 2**40, 2**62, -(2**31), -(2**63))


def with_other_graph(made, random: Random) -> str:
    """Change one thing of a graph, in place."""
    graph = made.graph
    node = graph.node[random.integers(len(graph.node))]
    constant = graph.initializer[random.integers(len(graph.initializer))]
    names = [name for n in graph.node for name in (*n.input, *n.output)] + [c.name for c in graph.initializer]
    choice = int(random.integers(12))
    number = int(random.choice(NUMBERS))
    if choice == 0:
        node.op_type = str(random.choice(OPERATORS.split()))
        return f"operator {node.op_type}"
    if choice == 1 and node.input:
        node.input[random.integers(len(node.input))] = str(random.choice(names))
        return "input"
    if choice == 2 and node.output:
        node.output[random.integers(len(node.output))] = str(random.choice(names))
        return "output"
    if choice == 3 and node.attribute:
        attribute = node.attribute[random.integers(len(node.attribute))]
        attribute.i = number
        if attribute.ints:
            attribute.ints[random.integers(len(attribute.ints))] = number
        return f"attribute {attribute.name}={number}"
    if choice == 4 and constant.dims:
        constant.dims[random.integers(len(constant.dims))] = number
        return "dimension of a constant"
    if choice == 5:
        constant.data_type = int(random.integers(0, 24))
        return "type of a constant"
    if choice == 6:
        constant.raw_data, steps = changed(constant.raw_data, random, text=False)
        return f"constant: {steps}"
    if choice == 7:
        value = (*graph.input, *graph.output)[random.integers(4)]
        shape = value.type.tensor_type.shape.dim
        shape[random.integers(len(shape))].dim_value = number
        return "shape"
    if choice == 8:
        value = (*graph.input, *graph.output)[random.integers(4)]
        value.type.tensor_type.elem_type = int(random.integers(0, 24))
        return "type"
    if choice == 9:
        del graph.node[random.integers(len(graph.node))]
        return "node deleted"
    if choice == 10:
        constant.data_location = 1
        constant.external_data.add(key="location", value=str(random.choice(["../s.wav", "/etc/passwd", "s.wav"])))
        return "external data"
    if choice == 11 and constant.data_type == 7:
        constant.raw_data = np.full(len(constant.raw_data) // 8, number, np.int64).tobytes()
        return f"constant {constant.name}={number}"
    value = (*graph.input, *graph.output)[random.integers(4)]
    value.name = str(random.choice(names))
    return "name"


def model_case(random: Random) -> Case:
    """Metadata, a graph or bytes changed."""
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(model())
    kind = str(random.choice(["metadata", "graph", "bytes"], p=[0.4, 0.4, 0.2]))
    steps = "bytes"
    if kind == "metadata":
        entry = made.metadata_props[random.integers(len(made.metadata_props))]
        content, steps = changed(entry.value.encode(), random)
        entry.value = content.decode(errors="replace")
        steps = f"{entry.key}: {steps}"
        if random.random() < 0.1:
            entry.key = str(random.choice(["language_model", "precision", "decoding", "kind", "x"]))
    elif kind == "graph":
        steps = ", ".join(with_other_graph(made, random) for _ in range(random.integers(1, 4)) if made.graph.node)
    data = made.SerializeToString()
    if kind == "bytes":
        data, steps = changed(data, random, text=False)
    commands = (
        ["info", "m.onnx", "--full"],
        ["transcribe", "-m", "m.onnx", "s.wav"],
        ["transcribe", "-m", "m.onnx", "s.wav", "--beam", "0", "-f", "srt", "-o", "out"],
        ["align", "-m", "m.onnx", "s.wav", "t.txt"],
    )
    weights = [0.4, 0.3, 0.2, 0.1] if kind == "metadata" else [0.1, 0.4, 0.3, 0.2]
    command = commands[random.choice(len(commands), p=weights)]
    return Case(f"{kind}: {steps}", {"m.onnx": data, "s.wav": sound(), "t.txt": b"one two"}, command)


# ---------------------------------------------------------------- language models

TEXT = b"one two three\ntwo one\nthree three one two\nunknown words\n"

ARPA = b"""\\data\\
ngram 1=6
ngram 2=5
ngram 3=2

\\1-grams:
-1.1\t<unk>
-99\t<s>\t-0.3
-0.5\t</s>
-0.9\tone\t-0.4
-0.8\tthree\t-0.3
-0.7\ttwo\t-0.2

\\2-grams:
-0.3\t<s> one\t-0.1
-0.4\tone two\t-0.2
-0.6\tthree one
-0.5\ttwo </s>
-0.4\ttwo three

\\3-grams:
-0.1\t<s> one two
-0.2\tone two three

\\end\\
"""


@cache
def packed_models() -> dict[str, bytes]:
    """The mapped and the small form of the model."""
    from asr.lm import arpa, packed

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "m.arpa").write_bytes(ARPA)
        ngram = arpa.read(Path(folder) / "m.arpa")
        packed.save(ngram, Path(folder) / "m.bin")
        return {"mapped": (Path(folder) / "m.bin").read_bytes(), "small": packed.dumps(ngram)}


def with_other_arrays(data: bytes, random: Random) -> tuple[bytes, str]:
    """Change the header or the arrays of a packed file, and keep its structure."""
    from asr.lm.packed import ALIGNMENT, MAGIC

    end = data.index(b"\n", len(MAGIC)) + 1
    header = json.loads(data[len(MAGIC) : end])
    contents, start, steps = [], end, []
    for entry in header["arrays"]:
        start += -start % ALIGNMENT
        contents.append(data[start : start + entry["bytes"]])
        start += entry["bytes"]
    for _ in range(random.integers(1, 3)):
        index = int(random.integers(len(contents)))
        entry = header["arrays"][index]
        if random.random() < 0.6:
            small = header["form"] == "small"
            content = lzma.decompress(contents[index]) if small else contents[index]
            if random.random() < 0.6 and entry["dtype"] != "|u1":
                whole = len(content) // np.dtype(entry["dtype"]).itemsize
                array = np.frombuffer(content, entry["dtype"], whole).copy()
                if len(array):
                    kind = str(random.choice(["any", "small", "shuffled"]))
                    count = int(random.integers(1, 4))
                    where = random.integers(len(array), size=count)
                    if kind == "any":
                        array[where] = np.frombuffer(random.bytes(array.itemsize * count), array.dtype)
                    elif kind == "small":
                        array[where] = random.integers(0, 12, size=count).astype(array.dtype)
                    else:
                        random.shuffle(array)
                content = array.tobytes()
            else:
                content, _ = changed(content, random, text=False)
            contents[index] = lzma.compress(content) if small else content
            if random.random() < 0.7:
                entry["bytes"] = len(contents[index])
                entry["items"] = len(content) // np.dtype(entry["dtype"]).itemsize
            steps.append(f"array {entry['name']}")
        else:
            text, _ = changed(json.dumps(header).encode(), random)
            try:
                header = json.loads(text)
                assert isinstance(header["arrays"][0], dict)
            except (ValueError, KeyError, TypeError, IndexError, AssertionError, RecursionError):
                body = data[end:]
                return MAGIC + text.replace(b"\n", b" ") + b"\n" + body, "header text"
            steps.append("header")
            break
    out = bytearray(MAGIC + json.dumps(header).encode() + b"\n")
    for content in contents:
        out += bytes(-len(out) % ALIGNMENT) + content
    return bytes(out), ", ".join(steps)


def language_model_case(random: Random) -> Case:
    """An ARPA file or a packed one changed."""
    kind = str(random.choice(["arpa", "compressed", "packed", "arrays"], p=[0.3, 0.1, 0.2, 0.4]))
    if kind == "arpa":
        data, steps = changed(ARPA, random)
    elif kind == "compressed":
        compress = (gzip.compress, bz2.compress, lzma.compress)[random.integers(3)]
        data, steps = changed(compress(ARPA * int(random.choice([1, 1, 1000]))), random, text=False)
    else:
        form = str(random.choice(["mapped", "small"]))
        data = packed_models()[form]
        data, steps = changed(data, random, text=False) if kind == "packed" else with_other_arrays(data, random)
        steps = f"{form}: {steps}"
    commands = (
        ["lm", "perplexity", "l.bin", "t.txt"],
        ["transcribe", "-m", "m.onnx", "s.wav", "--lm", "l.bin", "--beam", "8"],
        ["lm", "pack", "l.bin", "-o", "out/p.bin", "--small"],
    )
    command = commands[random.choice(len(commands), p=[0.45, 0.4, 0.15])]
    files = {"l.bin": data, "t.txt": TEXT, "s.wav": sound(), "m.onnx": model().SerializeToString()}
    return Case(f"{kind}: {steps}", files, command)


# ---------------------------------------------------------------- data


def manifest_row(number: int, **other: object) -> bytes:
    row = {
        "id": f"u{number}",
        "audio_filepath": "s.wav",
        "duration": 1.5,
        "text": "one two",
        "speaker": f"s{number % 2}",
    }
    return json.dumps(row | {"split": "train"} | other).encode() + b"\n"


@cache
def archive() -> bytes:
    """A tar with two recordings."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("a.wav", "b/c.wav"):
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = len(sound()), {"comment": "x"}
            tar.addfile(info, io.BytesIO(sound()))
    return buffer.getvalue()


def with_other_members(random: Random) -> bytes:
    """A tar whose members are links, devices, sparse or have odd names, sizes and headers."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("a.wav", "b/c.wav", str(random.choice(["../x.wav", "/tmp/x.wav", "b", "a.wav/x", "out"]))):
            info = tarfile.TarInfo(name)
            kinds = [b"0", b"0", b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"S"]
            info.type = kinds[random.integers(len(kinds))]
            info.linkname = str(random.choice(["../../s.wav", "/etc/passwd", "a.wav", "t.tar"]))
            info.size = len(sound()) if info.type in (b"0", b"7") else 0
            key = str(random.choice(["size", "mtime", "path", "linkpath", "uid", "GNU.sparse.map", "GNU.sparse.size"]))
            if random.random() < 0.5:
                info.pax_headers = {key: odd(random).decode(errors="replace")}
            tar.addfile(info, io.BytesIO(sound()) if info.size else None)
    return buffer.getvalue()


RECIPE = b"""name: toy
seed: 3
data:
  train: [train.jsonl]
  dev: [dev.jsonl]
model:
  frontend: {channels: 8}
  context: {layers: 2, hidden: 32, dropout: 0.1}
optimiser: {learning_rate: 1.0e-3}
training: {epochs: 3}
augmentation: {speeds: [0.9, 1.0]}
"""
TRN = b"one two three (s1-a)\ntwo (s1-b)\none three (s2-c)\n"
CTM = b"s1-a 1 0.0 0.4 one 0.9\ns1-a 1 0.5 0.4 two 0.8\ns1-b 1 0.0 0.3 two 1.0\n"
KALDI = b"s1-a one two three\ns1-b two\n"
STM = b";; comment\na 1 s1 0.0 1.0 <o,f0,male> one two\nb 1 s1 0.0 1.0 <o> two\n"


def manifest_case(random: Random) -> Case:
    data, steps = changed(b"".join(manifest_row(number) for number in range(4)), random)
    command = ["data", str(random.choice(["validate", "stats"])), "m.jsonl"]
    return Case(f"manifest: {steps}", {"m.jsonl": data, "s.wav": sound()}, command)


def list_case(random: Random) -> Case:
    data, steps = changed(b"s.wav\nsub/../s.wav\n./t.wav\n", random)
    command = ["transcribe", "-m", "m.onnx", "--list", "l.txt", "-o", "out", "--beam", "0"]
    files = {"l.txt": data, "s.wav": sound(), "t.wav": sound(), "m.onnx": model().SerializeToString()}
    return Case(f"list: {steps}", files, command)


def recipe_case(random: Random) -> Case:
    data, steps = changed(RECIPE, random)
    return Case(f"recipe: {steps}", {"r.yaml": data}, ["recipe", "show", "r.yaml"])


def tar_case(random: Random) -> Case:
    rows = b"".join(manifest_row(n, audio_filepath=name, tar="t.tar") for n, name in enumerate(("a.wav", "b/c.wav")))
    rows = rows.replace(b"audio_filepath", b"audio")
    choice = random.integers(3)
    tar, steps = archive(), ""
    if choice == 0:
        tar, steps = changed(tar, random, text=False)
    elif choice == 1:
        tar, steps = with_other_members(random), "members"
    else:
        rows, steps = changed(rows, random)
    return Case(f"tar: {steps}", {"c.jsonl": rows, "t.tar": tar}, ["prepare", "jsonl", "c.jsonl", "out/p"])


def score_case(random: Random) -> Case:
    suffix, data = (("trn", TRN), ("ctm", CTM), ("txt", KALDI), ("stm", STM))[random.integers(4)]
    other = TRN if suffix == "ctm" else data
    broken, steps = changed(data, random)
    names = [f"a.{suffix}", f"b.{'trn' if suffix == 'ctm' else suffix}"]
    order = names if random.random() < 0.5 else names[::-1]
    return Case(f"{suffix}: {steps}", {names[0]: broken, names[1]: other}, ["score", *order])


def data_case(random: Random) -> Case:
    makers = (manifest_case, list_case, recipe_case, tar_case, score_case)
    return makers[random.choice(len(makers), p=[0.25, 0.1, 0.25, 0.2, 0.2])](random)


KINDS: dict[str, Callable[[Random], Case]] = {
    "models": model_case,
    "language-models": language_model_case,
    "data": data_case,
}


def case(kind: str, number: int) -> Case:
    """Generate the case with the given number, always the same."""
    return KINDS[kind](np.random.default_rng([list(KINDS).index(kind), number]))


# ---------------------------------------------------------------- trying them


def attempt(current: Case, folder: Path) -> tuple[str, str]:
    """Run the command on the files: outcome and detail."""
    from click.testing import CliRunner

    from asr.cli import main

    for name, data in current.files.items():
        (folder / name).write_bytes(data)
    (folder / "out").mkdir()
    before = contents(folder)
    result = CliRunner().invoke(main, current.command)
    if contents(folder) != before:
        return "wrong", "files outside the output folder were changed"
    if list((folder / "out").rglob(".asr-*.tmp")):
        return "wrong", "a temporary file was left"
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return "wrong", f"{type(result.exception).__name__}: {str(result.exception)[:300]}"
    if result.exit_code == 0:
        return "good", ""
    message = result.stderr.strip()
    is_report = current.command[0] in ("data", "prepare") and bool(message or result.stdout.strip())
    if result.exit_code not in (1, 2) or not ("Error" in message or is_report) or "Traceback" in message:
        return "wrong", f"status {result.exit_code} and no sentence: {message[:300]!r}"
    if (longest := max(map(len, message.split("\n")))) > MAX_SENTENCE:
        return "wrong", f"a message of {longest} characters: {message[:200]!r}"
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]", result.output):
        return "wrong", f"control characters: {message[:300]!r}"
    return "refused", message


def contents(folder: Path) -> dict[str, bytes]:
    """All files but those in `out`, and the entries of the folder around."""
    files = {
        str(path): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and folder / "out" not in path.parents
    }
    return files | {str(path): b"" for path in folder.parent.iterdir()}


def work(kind: str, numbers: Sequence[int]) -> None:
    """Try cases in this process, and print one verdict per line."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("error")
    faulthandler.enable()
    import onnxruntime  # noqa: F401 - with which `asr transcribe` works in this process, where a crash is noticed

    model()
    with os.fdopen(os.dup(1), "w") as out, tempfile.TemporaryDirectory() as root:
        os.environ["XDG_CACHE_HOME"] = str(Path(root) / "cache")
        folder = Path(root) / "cases" / "case"
        _compile(folder)
        gc.collect()
        gc.freeze()  # what is loaded by now stays, and looking at it again would take most of the time
        for number in numbers:
            current = case(kind, number)
            peak_mb(reset=True)
            start_s = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, CPU_LIMIT_S)  # SIGPROF ends the process at any point
            try:
                outcome, detail = _attempt_in(folder, current)
            except Exception as error:
                outcome, detail = "wrong", f"in this program: {type(error).__name__}: {error}"
            signal.setitimer(signal.ITIMER_PROF, 0)
            peak = peak_mb()
            if peak > MAX_PEAK_MB:
                outcome, detail = "wrong", f"{peak:.0f} MB of memory"
            verdict = Verdict(number, current.kind, outcome, detail, 0.0, time.process_time() - start_s, peak)
            print(json.dumps(asdict(verdict)), file=out, flush=True)
            gc.collect()  # errors hold what their functions held


def _attempt_in(folder: Path, current: Case) -> tuple[str, str]:
    """Run a command in a folder that is made for it."""
    folder.mkdir(parents=True)
    os.chdir(folder)
    try:
        return attempt(current, folder)
    finally:
        os.chdir("/")
        shutil.rmtree(folder)


def _compile(folder: Path) -> None:
    """Let numba compile what it has not yet, which can take longer than a case may."""
    files = {"m.onnx": model().SerializeToString(), "s.wav": sound(), "l.bin": ARPA, "t.txt": TEXT}
    for command in (
        ["transcribe", "-m", "m.onnx", "s.wav", "--lm", "l.bin", "--beam", "8"],
        ["align", "-m", "m.onnx", "s.wav", "t.txt"],
        ["lm", "perplexity", "l.bin", "t.txt"],
    ):
        _attempt_in(folder, Case("unchanged", files, command))


def tried(kind: str, numbers: Sequence[int]) -> Iterator[Verdict]:
    """Yield verdicts on cases tried in another process, which is restarted whenever a case ends it."""
    for verdict in try_all(numbers, [sys.executable, __file__, "--work", kind]):
        yield replace(verdict, kind=case(kind, verdict.number).kind)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("numbers", type=int, nargs="*", help="with --work: the cases to try in this process")
    parser.add_argument("--count", type=int, default=3000, help="number of cases")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--work", action="store_true", help="try these cases in this process")
    parser.add_argument(
        "--write", type=Path, metavar="FOLDER", help="write the files of the first case, and its command"
    )
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.kind, arguments.numbers)
    elif arguments.write:
        arguments.write.mkdir(parents=True)
        current = case(arguments.kind, arguments.first)
        for name, data in current.files.items():
            (arguments.write / name).write_bytes(data)
        print(current.kind, *current.command)
    else:
        sys.exit(report(tried(arguments.kind, range(arguments.first, arguments.first + arguments.count))))


if __name__ == "__main__":
    main()
