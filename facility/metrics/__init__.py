"""What a run costs: time, memory and bytes of every stage and worker, beside the results."""
