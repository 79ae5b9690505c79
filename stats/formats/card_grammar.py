"""The lines of a text card of CMS' Combine, without the files that it names."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from znought.errors import DataError, unknown_name

__all__ = ["AutoStats", "Card", "Cell", "Column", "RateParameter", "ShapesLine", "Systematic", "parse_card"]

Cell = float | tuple[float, float] | None
"""What a systematic does to one column: a number, a pair for down and up, or nothing."""
KINDS = ("lnN", "lnU", "gmN", "shape", "shape?", "shapeN", "shapeN?")


@dataclass(frozen=True)
class Column:
    """One process in one channel."""

    channel: str
    process: str
    number: int
    """Zero and below for signals."""
    rate: float
    """−1: the integral of its histogram."""


@dataclass(frozen=True)
class ShapesLine:
    """Where histograms are; `*` stands for every process or channel."""

    process: str
    channel: str
    file: str
    nominal: str | None = None
    """None for FAKE: a count without histogram."""
    varied: str | None = None


@dataclass(frozen=True)
class Systematic:
    """One row of the table, a cell per column."""

    line: int
    name: str
    kind: str
    cells: tuple[Cell, ...]
    counts: int = 0
    """Events in the sideband of a gmN."""


@dataclass(frozen=True)
class RateParameter:
    """A free factor on the processes and channels that match."""

    line: int
    name: str
    channel: str
    process: str
    start: float
    bounds: tuple[float, float] | None


@dataclass(frozen=True)
class AutoStats:
    """MC-statistical errors of the channels that match."""

    line: int
    channel: str
    threshold: float
    with_signal: bool


@dataclass
class Card:
    """Everything that a card says.

    Attributes:
        path: of the card.
        observed: channel → events, −1 where the histogram decides.
        columns: in order.
        shapes, systematics, rate_parameters, auto_stats, groups: its lines.
        declared: what imax, jmax and kmax say, where it is a number.
    """

    path: Path
    observed: dict[str, float] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()
    shapes: list[ShapesLine] = field(default_factory=list)
    systematics: list[Systematic] = field(default_factory=list)
    rate_parameters: list[RateParameter] = field(default_factory=list)
    auto_stats: list[AutoStats] = field(default_factory=list)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    declared: dict[str, int] = field(default_factory=dict)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, in order of their first column."""
        return tuple(dict.fromkeys(column.channel for column in self.columns))

    @property
    def processes(self) -> tuple[str, ...]:
        """Names of the processes, in order of their first column."""
        return tuple(dict.fromkeys(column.process for column in self.columns))


@dataclass
class _Header:
    """Lines of the table's head, as they come."""

    bins: tuple[str, ...] = ()
    processes: list[tuple[str, ...]] = field(default_factory=list)
    observation: tuple[str, ...] | None = None
    observed_bins: tuple[str, ...] = ()


def parse_card(path: Path) -> Card:
    """The card's lines, checked against one another as Combine does.

    Raises:
        DataError: no such file, or a line that is malformed or not supported; with file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the card {path}: {error}.") from error
    card, header = Card(path), _Header()
    for line, words in _lines(text):
        try:
            if card.columns:
                _read_row(card, line, words)
            else:
                _read_head(card, header, words)
        except (ValueError, IndexError) as error:
            raise DataError(f"{path}:{line}: cannot read {' '.join(words[:4])!r} ({error}).") from error
        except DataError as error:
            raise DataError(f"{path}:{line}: {error}") from error
    _check(card)
    return card


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith(("#", "--")):
            continue
        words = line.split("#")[0].split()
        if words:
            yield number, words


def _read_head(card: Card, header: _Header, words: list[str]) -> None:
    """Everything above the systematics; other lines there are prose."""
    key, rest = words[0], words[1:]
    if key in ("imax", "jmax", "kmax"):
        if rest[0] != "*":
            card.declared[key] = int(rest[0])
    elif key == "shapes":
        card.shapes.append(_shapes_line(rest))
    elif key == "bin":
        header.bins = tuple(rest)
    elif key in ("observation", "Observation"):
        header.observation, header.observed_bins, header.bins = tuple(rest), header.bins, ()
    elif key == "process":
        header.processes.append(tuple(rest))
    elif key == "rate":
        card.columns = _columns(header, rest)
        card.observed = _observed(header, card.channels)


def _shapes_line(words: Sequence[str]) -> ShapesLine:
    process, channel, file, *names = words
    if file == "FAKE":
        return ShapesLine(process, channel, file)
    if not names:
        raise DataError("a shapes line needs process, channel, file and the histogram's name.")
    if any(":" in name for name in names):
        raise DataError(f"{names[0]!r} lies in a RooFit workspace; only histograms are read.")
    return ShapesLine(process, channel, file, names[0], names[1] if len(names) > 1 else None)


def _columns(header: _Header, rates: Sequence[str]) -> tuple[Column, ...]:
    if len(header.processes) != 2:
        raise DataError(
            f"two process lines (names, numbers) stand above rate. Found: {len(header.processes)}."
        )
    names, numbers = header.processes
    if not re.fullmatch(r"[-+]?\d+", numbers[0]):
        names, numbers = numbers, names
    lengths = {len(header.bins), len(names), len(numbers), len(rates)}
    if len(lengths) > 1:
        raise DataError(
            f"bin, process, process and rate have {len(header.bins)}, {len(names)}, {len(numbers)} and "
            f"{len(rates)} columns."
        )
    rows = zip(header.bins, names, numbers, rates, strict=True)
    return tuple(Column(channel, name, int(number), float(rate)) for channel, name, number, rate in rows)


def _observed(header: _Header, channels: tuple[str, ...]) -> dict[str, float]:
    if header.observation is None:
        raise DataError("the card has no observation line.")
    names = header.observed_bins or channels
    if len(names) != len(header.observation):
        raise DataError(f"{len(header.observation)} observations for {len(names)} channels.")
    missing = [name for name in channels if name not in names]
    if missing:
        raise DataError(unknown_name("channel", missing[0], names))
    return {name: float(value) for name, value in zip(names, header.observation, strict=True)}


def _read_row(card: Card, line: int, words: list[str]) -> None:
    if len(words) == 1:
        return
    name, kind = words[:2]
    if name == "nuisance" or kind == "edit":
        raise DataError("edits of nuisances are not read; apply them in the card.")
    if name.endswith("[nofloat]"):
        raise DataError("[nofloat] is not read; take the row out of the card.")
    if kind in KINDS:
        card.systematics.append(_systematic(len(card.columns), line, words))
        return
    readers: dict[str, Callable[[Card, int, list[str]], None]] = {
        "rateParam": _read_rate_parameter,
        "autoMCStats": _read_auto_stats,
        "group": _read_group,
    }
    if kind not in readers:
        raise DataError(unknown_name("kind of systematic", kind, (*KINDS, *readers)))
    readers[kind](card, line, words)


def _systematic(n_columns: int, line: int, words: list[str]) -> Systematic:
    name, kind = words[:2]
    counts, cells = (int(words[2]), words[3:]) if kind == "gmN" else (0, words[2:])
    if len(cells) < n_columns:
        raise DataError(f"{name!r} has {len(cells)} cells for {n_columns} columns.")
    if counts < 0:
        raise DataError(f"a sideband cannot hold {counts} events.")
    paired = kind in ("lnN", "lnU") or kind.endswith("?")
    return Systematic(line, name, kind, tuple(_cell(c, paired) for c in cells[:n_columns]), counts)


def _cell(text: str, paired: bool) -> Cell:
    if set(text) == {"-"}:
        return None
    if "/" in text:
        if not paired:
            raise DataError(f"two numbers ({text}) are for lnN, lnU and shape? only.")
        down, up = (float(part) for part in text.split("/"))
        return down, up
    value = float(text)
    if not value >= 0:
        raise DataError(f"a cell must not be negative. Received: {text}.")
    return value or None


def _read_rate_parameter(card: Card, line: int, words: list[str]) -> None:
    name, _, channel, process, start, *rest = words
    if start.startswith("(") or ".root" in start or (rest and not rest[0].startswith("[")):
        raise DataError("a rateParam of a formula or of a RooFit workspace is not read.")
    bounds = None
    if rest:
        low, high = (float(part) for part in rest[0].strip("[]").split(","))
        bounds = (low, high)
    card.rate_parameters.append(RateParameter(line, name, channel, process, float(start), bounds))


def _read_auto_stats(card: Card, line: int, words: list[str]) -> None:
    if len(words) > 4 and words[4] != "1":
        raise DataError("autoMCStats is read with hist-mode 1 only.")
    with_signal = len(words) > 3 and bool(int(words[3]))
    card.auto_stats.append(AutoStats(line, words[0], float(words[2]), with_signal))


def _read_group(card: Card, line: int, words: list[str]) -> None:
    name, _, sign, *members = words
    if sign not in ("=", "+="):
        raise DataError(f"a group is {name} group = NAME …. Received: {' '.join(words[:3])}.")
    earlier = card.groups.get(name, ()) if sign == "+=" else ()
    card.groups[name] = (*earlier, *members)


def _check(card: Card) -> None:
    if not card.columns:
        raise DataError(f"{card.path} has no rate line: it is no card of Combine.")
    found = {
        "imax": (len(card.channels), "channels"),
        "jmax": (len(card.processes) - 1, "processes minus one"),
        "kmax": (len(card.systematics), "systematics"),
    }
    for key, declared in card.declared.items():
        count, what = found[key]
        if count != declared:
            raise DataError(f"{card.path}: {key} says {declared}, but the card has {count} {what}.")
    signals = {column.process: column.number <= 0 for column in card.columns}
    for column in card.columns:
        if signals[column.process] != (column.number <= 0):
            raise DataError(f"{card.path}: process {column.process!r} is signal here and background there.")
    if not any(signals.values()):
        raise DataError(f"{card.path} has no signal: a process with a number of zero or below.")
    patterns = [(row.line, row.channel) for row in card.rate_parameters]
    patterns += [(row.line, row.channel) for row in card.auto_stats]
    for line, pattern in patterns:
        if not any(fnmatchcase(channel, pattern) for channel in card.channels):
            raise DataError(f"{card.path}:{line}: {unknown_name('channel', pattern, card.channels)}")
