"""Checks of a finished analysis: each states what it tested, what it measured, its limit and its verdict."""
