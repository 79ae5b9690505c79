"""The referee: a finished output directory worked out again from its events, and judged."""
