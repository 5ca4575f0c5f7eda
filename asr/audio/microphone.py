"""The microphone, through sounddevice (PortAudio), which the extra `live` installs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

from asr.errors import AudioError, MissingExtra

BLOCK_S = 0.1
"""Length of the blocks in which samples arrive."""


def devices() -> str:
    """List the audio devices, one per line, with the numbers by which they are chosen.

    Raises:
        MissingExtra: sounddevice is not installed.
        AudioError: the PortAudio library is missing.
    """
    return str(_sounddevice().query_devices())


@contextmanager
def opened(device: str | None, sample_rate: int, on_samples: Callable[[bytes], None]) -> Iterator[int]:
    """Record one channel while the block runs: `on_samples` receives 16-bit samples, in a thread of PortAudio.

    Args:
        device: number or part of the name of the device; None means the default one.
        sample_rate: desired rate in Hz.
        on_samples: receives the samples as bytes; must not block.

    Yields:
        the rate in Hz, which is the device's own if it does not record at the desired one.

    Raises:
        MissingExtra: sounddevice is not installed.
        AudioError: the PortAudio library is missing, or the device does not exist or cannot record.
    """
    sounddevice = _sounddevice()
    wanted = int(device) if device is not None and device.isdecimal() else device
    try:
        rate = _rate(sounddevice, wanted, sample_rate)
        stream = sounddevice.RawInputStream(
            samplerate=rate,
            blocksize=round(BLOCK_S * rate),
            device=wanted,
            channels=1,
            dtype="int16",
            callback=lambda content, _frames, _time, _status: on_samples(bytes(content)),
        )
        with stream:
            yield rate
    except (sounddevice.PortAudioError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise AudioError(
            f"{'The microphone' if device is None else f'The device {device!r}'} cannot be recorded from ({reason}): "
            "`asr listen --device list` lists the devices."
        ) from None


def _rate(sounddevice: ModuleType, device: int | str | None, sample_rate: int) -> int:
    try:
        sounddevice.check_input_settings(device=device, channels=1, dtype="int16", samplerate=sample_rate)
    except sounddevice.PortAudioError:
        return round(sounddevice.query_devices(device, "input")["default_samplerate"])
    return sample_rate


def _sounddevice() -> ModuleType:
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise MissingExtra("Recording from a microphone", "live", error.name or "sounddevice") from None
    except OSError as error:
        raise AudioError(
            f"The microphone needs the PortAudio library, which cannot be loaded ({error}): install it, such as with "
            "`apt install libportaudio2`, or pipe the audio in: `arecord -f S16_LE -r 16000 | asr listen -`."
        ) from None
    return sounddevice
