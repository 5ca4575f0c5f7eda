"""The accepted range of sample rates."""

MIN_RATE, MAX_RATE = 1_000, 768_000
"""In Hz; a header or a model with a rate outside it is considered damaged."""
