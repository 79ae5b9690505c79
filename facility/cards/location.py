"""Where the card is that a command does not name."""

import re
from pathlib import Path

from znought.errors import CardError

__all__ = ["the_card"]

_NAMES_ANALYSIS = re.compile(r"^analysis:", re.MULTILINE)


def the_card(folder: Path = Path()) -> Path:
    """The one card of a folder.

    Raises:
        CardError: there is none, or more than one.
    """
    files = sorted(file for file in folder.glob("*.yaml") if file.is_file())
    found = [file for file in files if _NAMES_ANALYSIS.search(file.read_text("utf-8", errors="replace"))]
    if len(found) == 1:
        return found[0]
    listed = f"holds {', '.join(file.name for file in found)}" if found else "holds no card"
    raise CardError(f"CARD: this folder {listed}: name one, or write one with `znought init NAME`.")
