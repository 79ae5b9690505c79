"""VH(bb) in the SMEFT as it runs: its card, its flow of stages, its results, tables and figures."""
