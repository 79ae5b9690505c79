"""From columns to what networks and trees are trained on, searched for and judged by."""
