"""Cards and files to be spoiled, and what `process` makes of them."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.facility.small import context_of, small_card
from znought.facility.stages.process import process

Card = dict[str, Any]


def changed_card(folder: Path, change: Callable[[Card], object] = lambda card: None, **sections: Any) -> Path:
    """The small card after a change."""
    path = small_card(folder, **sections)
    card = yaml.safe_load(path.read_text())
    change(card)
    path.write_text(yaml.safe_dump(card, sort_keys=False))
    return path


def processed(path: Path) -> Path:
    """Output directory after the stage `process` of a card."""
    output = path.parent / "out"
    process(context_of(path, output))
    return output


def cutflow_sums(output: Path, process_name: str) -> list[float]:
    """Σw of a process after each cut."""
    flow = json.loads((output / "cutflow.json").read_text())["processes"][process_name]["sumw"]
    return [float(value) for value in flow]


def truncate(path: Path) -> None:
    """Cuts a file in half."""
    os.truncate(path, path.stat().st_size // 2)
