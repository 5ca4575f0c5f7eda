"""Language models: estimation, file formats, look-up and evaluation."""
