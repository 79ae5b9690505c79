"""Which events of an era count: certified, triggered and clean of detector faults."""
