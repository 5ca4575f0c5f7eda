"""Pronunciations of words: dictionaries, conversion of letters to sounds, and the lexicon of a model."""
