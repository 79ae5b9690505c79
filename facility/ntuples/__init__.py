"""From files to results that are complete: every event once, or a stop that says why."""
