"""The limits of the server, each of which has a clear answer."""

from dataclasses import dataclass

from asr.transcription import processes


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one client, or all of them, may use."""

    upload_bytes: int = 512 * 2**20
    """Largest upload; a larger one is answered by 413."""
    audio_s: float = 4 * 3600.0
    """Longest recording in seconds; a longer one is answered by 413."""
    recording: processes.Limits = processes.DEFAULT_LIMITS
    """Memory and time that a recording may take in its process; what takes more is answered by 413."""
    waiting: int = 64
    """Most requests that wait for a worker; further ones are answered by 429."""
    body_s: float = 300.0
    """Longest time that an upload may take; a slower one is answered by 408."""
    idle_s: float = 30.0
    """Longest time between two pieces of an upload, or of live audio."""
    live: int = 16
    """Most live streams at a time; further ones are refused."""
    connections: int = 1024
    """Most connections at a time; further ones are answered by 503."""
