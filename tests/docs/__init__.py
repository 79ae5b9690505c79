"""The documentation as a reader has it: built, linked, and its code run (make test-docs)."""
