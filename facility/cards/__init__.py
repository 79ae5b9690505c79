"""Reading a card, and finding the analysis that it names."""
