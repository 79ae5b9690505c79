"""What a run leaves: records, tables, and what a notebook reads."""
