"""Corpora, manifests, and their validation and statistics; no torch."""
