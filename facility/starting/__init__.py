"""A first analysis: a file and a card that run as they are."""
