"""One selected event, found in its file and drawn."""
