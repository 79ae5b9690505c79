"""The stages of the flow, one module each: read files, write files, know nothing of one another."""
