"""The histograms that a text card points to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from znought.errors import DataError
from znought.stats.formats.card_grammar import Card, ShapesLine
from znought.stats.formats.histograms import Histogram, Histograms, open_histograms

__all__ = ["DATA", "CardShapes"]

DATA = "data_obs"


@dataclass
class CardShapes:
    """Looks histograms up as Combine does; files are opened once.

    Attributes:
        card: with its shapes lines.
        mass: what $MASS stands for.
        remarks: on files that were not where the card says.
    """

    card: Card
    mass: float | None = None
    remarks: list[str] = field(default_factory=list)
    _files: dict[str, Histograms] = field(default_factory=dict)

    def nominal(self, channel: str, process: str) -> Histogram | None:
        """The template of a process, or of `DATA`; None in a channel that only counts."""
        line = self._line(channel, process)
        if line is None or line.nominal is None:
            return None
        return self._read(line, line.nominal, channel, process, "")

    def varied(self, channel: str, process: str, systematic: str) -> tuple[Histogram, Histogram] | None:
        """Templates for down and up; None where the file holds neither."""
        line = self._line(channel, process)
        if line is None or line.varied is None:
            return None
        names = [self._named(line.varied, channel, process, systematic + d) for d in ("Down", "Up")]
        file = self._file(self._named(line.file, channel, process, ""))
        if not any(name in file for name in names):
            return None
        down, up = (file[name] for name in names)
        return down, up

    def _line(self, channel: str, process: str) -> ShapesLine | None:
        """The most special line: the channel's own before `*`, the process's own before `*`."""
        if not self.card.shapes:
            return None
        for line in self._candidates(channel, process):
            return line
        raise DataError(f"{self.card.path}: no shapes line for process {process!r} in channel {channel!r}.")

    def _candidates(self, channel: str, process: str) -> Iterator[ShapesLine]:
        for wanted in ((process, channel), ("*", channel), (process, "*"), ("*", "*")):
            yield from (line for line in self.card.shapes if (line.process, line.channel) == wanted)

    def _read(self, line: ShapesLine, pattern: str, channel: str, process: str, systematic: str) -> Histogram:
        file = self._file(self._named(line.file, channel, process, systematic))
        return file[self._named(pattern, channel, process, systematic)]

    def _named(self, pattern: str, channel: str, process: str, systematic: str) -> str:
        name = pattern.replace("$PROCESS", process).replace("$CHANNEL", channel)
        name = name.replace("$SYSTEMATIC", systematic)
        if "$MASS" in name:
            if self.mass is None:
                raise DataError(f"{self.card.path}: {pattern!r} needs a mass (--mass), which was not given.")
            name = name.replace("$MASS", f"{self.mass:g}")
        if "$" in name:
            raise DataError(f"{self.card.path}: {pattern!r} holds a keyword that is not known.")
        return name

    def _file(self, name: str) -> Histograms:
        if name not in self._files:
            self._files[name] = open_histograms(self._path(name))
        return self._files[name]

    def _path(self, name: str) -> Path:
        """Relative to the card; a file that lies beside the card instead is taken with a remark."""
        path = self.card.path.parent / name
        beside = self.card.path.parent / Path(name).name
        if path.is_file() or not beside.is_file():
            return path
        self.remarks.append(f"{name} is not where the card says; the file of that name beside it was read.")
        return beside


def check_bins(histogram: Histogram, like: Histogram, what: str) -> None:
    """Stops where two templates of a channel have other edges.

    Raises:
        DataError: they have.
    """
    same = histogram.edges.shape == like.edges.shape and np.allclose(histogram.edges, like.edges)
    if not same:
        raise DataError(f"{what} has other bins than the channel's data.")
