"""Scoring of transcripts: error counts, error rates and their statistical significance."""
