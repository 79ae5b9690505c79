"""Two output directories side by side: numbers, yields by event, cards and figures."""
