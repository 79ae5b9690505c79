"""Mutated files and cards: right, or one clear line."""
