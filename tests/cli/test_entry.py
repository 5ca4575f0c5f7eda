"""The program as a process: streams that are closed or cannot write a character, and signals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ASR = [sys.executable, "-m", "asr"]
SPOKEN = "enter two nine eight one"
TRANSCRIBE = [*ASR, "transcribe", "--plain", "-m", "an4"]
ENTER = str(EXAMPLES / "enter.wav")
posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell and signals")


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = " ".join(f"'{part}'" for part in TRANSCRIBE)
    env = {**os.environ, **environment}
    return subprocess.run(
        line.replace("ASR", command), shell=True, capture_output=True, text=True, env=env, check=False
    )


@posix
def test_closed_standard_error_does_not_cost_the_text() -> None:
    done = shell(f"ASR {ENTER} 2>&-")
    assert (done.returncode, done.stdout) == (0, SPOKEN + "\n")


@posix
def test_closed_standard_output_is_an_error(tmp_path: Path) -> None:
    done = shell(f"ASR {ENTER} >&-")
    assert done.returncode == 1
    assert "standard output" in done.stderr
    assert "Traceback" not in done.stderr
    assert shell(f"ASR {ENTER} -o {tmp_path} >/dev/null 2>&-").returncode == 0
    assert (tmp_path / "enter.txt").read_text() == SPOKEN + "\n"


@posix
def test_a_full_disk_is_an_error() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    done = shell(f"ASR {ENTER} >/dev/full")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-8"])
def test_a_name_that_the_encoding_lacks_is_written_in_escapes(tmp_path: Path, encoding: str) -> None:
    for name in ("a.wav", "b \u65e5\u672c.wav"):
        (tmp_path / name).write_bytes((EXAMPLES / "enter.wav").read_bytes())
    env = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([*TRANSCRIBE, str(tmp_path)], capture_output=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(SPOKEN.encode()) == 2
    assert ("\u65e5".encode() if encoding == "utf-8" else rb"\u65e5") in done.stdout


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_program_by_that_signal_and_keeps_what_there_is(
    tmp_path: Path, number: signal.Signals
) -> None:
    samples, rate = soundfile.read(EXAMPLES / "captain.wav", dtype="int16")
    soundfile.write(tmp_path / "long.wav", np.tile(np.concatenate([samples, np.zeros(rate, np.int16)]), 2000), rate)
    out = tmp_path / "out"
    command = [*ASR, "transcribe", str(tmp_path / "long.wav"), "-o", str(out), "-f", "txt,srt"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not (out / "long.partial.txt").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -number, errors
    assert "Traceback" not in errors
    assert "0 of 1 files are done; the same command with --resume" in errors
    assert {path.name for path in out.iterdir()} == {"long.partial.txt", "long.partial.srt"}
    assert (out / "long.partial.txt").read_text().startswith("The captain of the ship")


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_an_import_that_makes_an_error_of_it(tmp_path: Path, number: signal.Signals) -> None:
    """NumPy and onnxruntime, interrupted while they initialise, raise ImportError instead of KeyboardInterrupt."""
    code = f"import os\ntry:\n    os.kill(os.getpid(), {int(number)})\n    while True: pass\nexcept BaseException:\n"
    (tmp_path / "onnxruntime.py").write_text(code + "    raise ImportError('initialization failed') from None\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(EXAMPLES.parent)])}
    done = subprocess.run([*ASR, "info", "an4"], capture_output=True, text=True, env=env, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (-number, "")


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_program_exits_prints_nothing(number: signal.Signals) -> None:
    program = f"""if True:
        import atexit, os, sys
        from asr.cli.entry import run
        atexit.register(os.kill, os.getpid(), {int(number)})
        sys.argv = ["asr", "--version"]
        run()"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-number, "")
    assert done.stdout.startswith("asr, version")
