"""Where the work runs: sites, what travels to their workers, and how their answers are awaited."""
