"""How wrong a transcript is: error counts, rates, and how far to trust them."""
