"""Markdown tables on the terminal, for the benchmarks."""

from rich.console import Console

CONSOLE = Console(width=400, highlight=False, markup=False, soft_wrap=True)


def row(*cells: object) -> None:
    """One line of a table; floats with three digits."""
    CONSOLE.print("| " + " | ".join(f"{c:.3g}" if isinstance(c, float) else str(c) for c in cells) + " |")


def header(title: str, *cells: str) -> None:
    """Title and head of a table."""
    CONSOLE.print(f"\n**{title}**\n")
    row(*cells)
    row(*("---" for _ in cells))
