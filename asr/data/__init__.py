"""Corpora, manifests and their checks (torch-free); batches and augmentation (torch)."""
