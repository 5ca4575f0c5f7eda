"""Language models: trained from text, and measured on text."""
