"""Suffixes of audio and video files."""

AUDIO_SUFFIXES = (
    ".aac",
    ".ac3",
    ".aif",
    ".aifc",
    ".aiff",
    ".amr",
    ".au",
    ".caf",
    ".flac",
    ".m4a",
    ".m4b",
    ".mka",
    ".mp2",
    ".mp3",
)
AUDIO_SUFFIXES += (".mpga", ".oga", ".ogg", ".opus", ".sph", ".w64", ".wav", ".wma")
VIDEO_SUFFIXES = (
    ".3gp",
    ".avi",
    ".flv",
    ".m4v",
    ".mkv",
    ".mov",
    ".mp4",
    ".mpeg",
    ".mpg",
    ".ogv",
    ".ts",
    ".webm",
    ".wmv",
)
"""Files with these suffixes are read from a folder; a file given by name may have any suffix."""
