"""docs/detector.md: its numbers are those of the code, and none is left out."""

import re
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from znought.simulation import detector, pile_up, tagging
from znought.simulation.config import DetectorConfig

PAGE = (Path(__file__).parents[2] / "docs" / "detector.md").read_text(encoding="utf-8")
DERIVED = {"_HARD_LINE", "PROMPT"}  # from others; no number of the detector


def _rows() -> dict[str, tuple[float, ...]]:
    """Name → numbers of every row of the page's tables."""
    found = re.findall(r"^\| `(.+?)` \| ([-\d., ]+) \| (.+) \|$", PAGE, flags=re.MULTILINE)
    assert all(len(source) > 4 for _, _, source in found)
    return {name: tuple(float(number) for number in numbers.split(",")) for name, numbers, _ in found}


def _constants(module: ModuleType) -> dict[str, tuple[float, ...]]:
    """Name → numbers of every constant of a module."""
    short = module.__name__.split(".")[-1]
    found = {}
    for name, value in vars(module).items():
        if name.isupper() and isinstance(value, (float, int, tuple, np.ndarray)) and name not in DERIVED:
            flat = np.asarray(value, dtype=np.float64).ravel()
            found[f"{short}.{name}"] = tuple(flat.tolist())
    return found


def test_every_key_of_the_card_stands_there_with_its_default() -> None:
    rows = _rows()
    for field in fields(DetectorConfig):
        assert rows[field.name] == (field.default,), field.name


@pytest.mark.parametrize("module", [detector, pile_up, tagging])
def test_every_constant_stands_there_with_its_value(module: ModuleType) -> None:
    rows, constants = _rows(), _constants(module)
    assert len(constants) > 5
    assert {name: rows.get(name) for name in constants} == constants


def test_the_page_names_nothing_that_is_gone() -> None:
    known = {field.name for field in fields(DetectorConfig)}
    known |= {name for module in (detector, pile_up, tagging) for name in _constants(module)}
    assert {name for name in _rows() if "efficiency," not in name} <= known


@pytest.mark.parametrize(("eta", "side"), [(0.5, "<"), (2.0, ">")])
def test_lepton_efficiencies_are_those_of_the_page(eta: float, side: str) -> None:
    rows = _rows()
    for name, is_electron in (("electron", True), ("muon", False)):
        got = detector._lepton_efficiency(np.array([eta]), np.array([is_electron]))
        assert got[0] == pytest.approx(rows[f"{name} efficiency, \\|η\\| {side} 1.5"][0])
