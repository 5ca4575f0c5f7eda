"""Transcription of large collections in shards, on one machine or many, resumed where it was interrupted."""
