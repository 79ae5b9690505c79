"""What two results have in common and where they differ, as `znought compare --json` prints it."""

from pathlib import Path
from typing import Any

from znought.errors import DataError
from znought.facility.comparing.significances import (
    PairedSignificance,
    paired_significances,
    trained_apart,
    unpaired_because,
)
from znought.facility.comparing.yields import PairedYield, paired_yields
from znought.facility.results.records import Record
from znought.facility.workspace import Workspace, read_json

__all__ = ["CardDifference", "Comparison", "NumberPair", "compared"]

_RELATIVE = 1e-9
# Words, and what follows from other numbers in the same file.
_LEFT_OUT = {"notes", "unblinding_log", "auc_events"}
_BESIDE = {"plot", "referee", "tune", "export"}
"""Stages on which no number stands."""
_CENTRES = ("value", "held_out")


class NumberPair(Record):
    """One number of both results; None where one of them lacks it.

    Attributes:
        name: its place in `results.json`.
        first, second: the values.
        intervals: of 68 %, where both have one; the same generated events may stand behind them.
        difference: second less first.
    """

    name: str
    first: float | None
    second: float | None
    intervals: tuple[tuple[float, float], tuple[float, float]] | None = None
    difference: float | None = None


class CardDifference(Record):
    """One key of the cards, defaults filled in; None where one of them lacks it."""

    key: str
    first: Any = None
    second: Any = None


class Comparison(Record):
    """Two results side by side.

    Attributes:
        first, second: their directories.
        numbers: that differ, or that one of them lacks.
        n_equal: numbers that are the same in both.
        significances: held-out ones that both have, with the interval of the difference.
        trained_apart: whether the networks and trees of both come out of two trainings; None without any.
        yields: expected events by dataset, their difference judged event by event.
        cards: keys that differ.
        figures: that both have.
        only_first, only_second: figures that one of them lacks.
    """

    first: str
    second: str
    numbers: tuple[NumberPair, ...]
    n_equal: int
    significances: tuple[PairedSignificance, ...]
    trained_apart: bool | None
    yields: tuple[PairedYield, ...]
    cards: tuple[CardDifference, ...]
    figures: tuple[str, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether no number and no key of a card differs."""
        return not self.numbers and not self.cards


def compared(first: Path, second: Path) -> Comparison:
    """Compares two output directories.

    Raises:
        DataError: one of them is no output directory of a finished run, or a run has begun anew since.
    """
    one, two = Workspace(first), Workspace(second)
    for place in (one, two):
        if not place.results.is_file():
            raise DataError(f"{place.directory}: no results.json; expected the output of a finished run.")
        _refuse_unfinished(place)
    pairs = _pairs(read_json(one.results), read_json(two.results))
    differing = tuple(pair for pair in pairs if not _is_equal(pair))
    yields = paired_yields(one, two)
    cards = _flat(_sections(one)), _flat(_sections(two))
    figures = [{path.stem for path in place.figures.glob("*.png")} for place in (one, two)]
    return Comparison(
        first=str(first),
        second=str(second),
        numbers=differing,
        n_equal=len(pairs) - len(differing),
        significances=paired_significances(one, two, unpaired_because(yields, cards)),
        trained_apart=trained_apart(one, two),
        yields=yields,
        cards=_cards(*cards),
        figures=tuple(sorted(figures[0] & figures[1])),
        only_first=tuple(sorted(figures[0] - figures[1])),
        only_second=tuple(sorted(figures[1] - figures[0])),
    )


def _refuse_unfinished(place: Workspace) -> None:
    """Raises where a stage was done after the one that wrote the results, which stand on an older one."""
    if not place.manifest.is_file():
        return
    stages = read_json(place.manifest)["stages"]
    names = list(stages)  # in the order in which they were done
    writer = next((name for name in names if place.results.name in stages[name].get("outputs", {})), None)
    later = names if writer is None else names[names.index(writer) + 1 :]
    anew = [name for name in later if name not in _BESIDE]
    if anew:
        raise DataError(
            f"{place.directory}: results.json is older than stage {anew[-1]!r}: a run began anew and was "
            "interrupted. The same command again resumes it."
        )


def _pairs(first: Any, second: Any) -> list[NumberPair]:
    """Every number of both, in the order of the first."""
    one, two = _numbers(first), _numbers(second)
    return [_pair(name, one.get(name), two.get(name)) for name in dict.fromkeys([*one, *two])]


Number = tuple[float, tuple[float, float] | None]


def _pair(name: str, one: Number | None, two: Number | None) -> NumberPair:
    if one is None or two is None:
        first, second = (None if number is None else number[0] for number in (one, two))
        return NumberPair(name=name, first=first, second=second)
    return NumberPair(
        name=name,
        first=one[0],
        second=two[0],
        intervals=None if one[1] is None or two[1] is None else (one[1], two[1]),
        difference=two[0] - one[0],
    )


def _numbers(content: Any, place: str = "") -> dict[str, Number]:
    """Place → number with its interval."""
    if isinstance(content, bool) or content is None or isinstance(content, str):
        return {}
    if isinstance(content, int | float):
        return {place: (float(content), None)}
    if isinstance(content, list):
        items = [(f"{place}[{i}]", one) for i, one in enumerate(content)]
    else:
        items = [(f"{place}.{key}" if place else key, one) for key, one in content.items()]
    found: dict[str, Number] = {}
    for name, one in items:
        if name.rpartition(".")[2] not in _LEFT_OUT:
            found |= _numbers(one, name)
    if isinstance(content, dict) and "interval" in content:
        low, high = content["interval"]
        for centre in (f"{place}.{name}" for name in _CENTRES if name in content):
            found[centre] = (found[centre][0], (low, high))
    return found


def _is_equal(pair: NumberPair) -> bool:
    if pair.first is None or pair.second is None:
        return False
    return abs(pair.second - pair.first) <= _RELATIVE * max(abs(pair.first), abs(pair.second))


def _cards(first: dict[str, Any], second: dict[str, Any]) -> tuple[CardDifference, ...]:
    """Keys of the cards that differ, as the stages have read them."""
    keys = sorted({*first, *second})
    return tuple(
        CardDifference(key=key, first=first.get(key), second=second.get(key))
        for key in keys
        if first.get(key) != second.get(key)
    )


def _sections(place: Workspace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if place.manifest.is_file():
        for stage in read_json(place.manifest)["stages"].values():
            found |= stage["section"]
    return found


def _flat(content: Any, place: str = "") -> dict[str, Any]:
    """Place → plain value or list."""
    if not isinstance(content, dict) or not content:
        return {place: content}
    found: dict[str, Any] = {}
    for key, value in content.items():
        found |= _flat(value, f"{place}.{key}" if place else str(key))
    return found
