"""A text card of CMS' Combine as a likelihood."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.stats.formats.card_grammar import Card, Column, Systematic, parse_card
from znought.stats.formats.card_shapes import DATA, CardShapes, check_bins
from znought.stats.formats.histograms import Histogram
from znought.stats.formats.likelihood import (
    Channel,
    Effect,
    Factor,
    Likelihood,
    McStat,
    Rate,
    Sample,
    Setting,
    Shape,
    Sideband,
)

__all__ = ["read_card"]

Floats = NDArray[np.float64]
POI = "mu"
_MU_RANGE = (0.0, 20.0)
# Combine leaves norms out that a shape changes by less.
_SMALLEST_NORM = 1e-3


@dataclass
class _Reading:
    """What is needed at every column, and the remarks that come up."""

    card: Card
    shapes: CardShapes
    remarks: list[str] = field(default_factory=list)

    def remark(self, sentence: str) -> None:
        if sentence not in self.remarks:
            self.remarks.append(sentence)


def read_card(path: Path, *, mass: float | None = None) -> Likelihood:
    """The likelihood of a text card, its signal strength named `mu`.

    The yield of a shape systematic is a log-normal of its own, and templates are interpolated at fixed
    yield, as in Combine (section "Shape analyses" of its manual). Interpolation within one standard
    deviation is pyhf's: for templates the same function, for two different factors down and up another
    polynomial.

    Args:
        path: of the card; files of histograms are relative to it.
        mass: what $MASS stands for.

    Raises:
        DataError: a line that is malformed or not supported, a histogram that is missing, or numbers that
            contradict each other.

    References:
        CMS, arXiv:2404.06614.
    """
    card = parse_card(path)
    reading = _Reading(card, CardShapes(card, mass))
    channels = tuple(_channel(reading, name) for name in card.channels)
    settings, sidebands = _parameters(card)
    return Likelihood(
        channels=channels,
        poi=POI,
        settings=settings,
        sidebands=sidebands,
        groups=card.groups,
        remarks=(*dict.fromkeys(reading.shapes.remarks), *reading.remarks),
        title=path.stem,
    )


def _parameters(card: Card) -> tuple[tuple[Setting, ...], tuple[Sideband, ...]]:
    settings = {POI: Setting(POI, (1.0,), (_MU_RANGE,))}
    for parameter in card.rate_parameters:
        reach = 10 * max(abs(parameter.start), 1.0)
        setting = Setting(parameter.name, (parameter.start,), (parameter.bounds or (0.0, reach),))
        if settings.setdefault(parameter.name, setting) != setting:
            raise DataError(
                f"{card.path}:{parameter.line}: {parameter.name!r} has another value or range above."
            )
    sidebands: dict[str, Sideband] = {}
    for row in card.systematics:
        if row.kind == "gmN":
            if sidebands.setdefault(row.name, Sideband(row.name, row.counts)).counts != row.counts:
                raise DataError(f"{card.path}:{row.line}: {row.name!r} has another count above.")
            settings[row.name] = Setting(row.name, (1.0,), ((0.0, 10.0 + 10.0 * (row.counts == 0)),))
        elif row.kind == "lnU":
            settings[row.name] = _flat(card, row)
    return tuple(settings.values()), tuple(sidebands.values())


def _flat(card: Card, row: Systematic) -> Setting:
    """lnU: a free factor between 1/κ and κ, or between the two numbers of a pair."""
    ranges = {(1 / cell, cell) if isinstance(cell, float) else cell for cell in row.cells if cell is not None}
    if len(ranges) != 1:
        raise DataError(f"{card.path}:{row.line}: a lnU is read with one value for all columns only.")
    low, high = sorted(ranges.pop())
    return Setting(row.name, (1.0,), ((low, high),))


def _channel(reading: _Reading, name: str) -> Channel:
    data = reading.shapes.nominal(name, DATA)
    observed = _observed(reading.card, name, data)
    stats = [entry for entry in reading.card.auto_stats if fnmatchcase(name, entry.channel)]
    # The last line that matches counts, and a negative threshold switches them off.
    wanted = stats[-1] if stats and data is not None and stats[-1].threshold >= 0 else None
    mc_stat = None if wanted is None else McStat(f"mcstat_{name}", wanted.threshold, wanted.with_signal)
    rates = {
        i: _rate(reading.card, i) for i, column in enumerate(reading.card.columns) if column.channel == name
    }
    samples = tuple(
        _sample(reading, i, rate, data, with_errors=mc_stat is not None)
        for i, rate in rates.items()
        if rate != 0
    )
    return Channel(name, observed, samples, mc_stat, None if data is None else data.edges)


def _observed(card: Card, channel: str, data: Histogram | None) -> Floats:
    counted = card.observed[channel]
    if data is None:
        if counted < 0:
            raise DataError(f"{card.path}: channel {channel!r} has neither an observation nor a histogram.")
        return np.array([counted])
    total = float(data.values.sum())
    if counted >= 0 and abs(total - counted) > max(0.005 * counted, 0.01):
        raise DataError(
            f"{card.path}: channel {channel!r} observes {counted:g} events, its histogram {total:g}."
        )
    return data.values


def _rate(card: Card, i: int) -> float:
    """The yield of a column: α times the sideband's events where a gmN says so; −1: its histogram's."""
    rate = card.columns[i].rate
    for row in card.systematics:
        alpha = row.cells[i]
        if row.kind != "gmN" or not isinstance(alpha, float):
            continue
        if abs(alpha * row.counts - rate) > max(0.05 * max(rate, 1.0), alpha):
            where = f"{card.path}:{row.line}"
            raise DataError(f"{where}: {row.counts} events times {alpha:g} are not the rate {rate:g}.")
        return alpha * max(row.counts, 1)
    return rate


def _sample(reading: _Reading, i: int, rate: float, data: Histogram | None, *, with_errors: bool) -> Sample:
    column = reading.card.columns[i]
    place = f"process {column.process!r} in channel {column.channel!r}"
    where = f"{reading.card.path}: {place}"
    template = None if data is None else reading.shapes.nominal(column.channel, column.process)
    if data is None or template is None:
        if rate < 0:
            raise DataError(f"{where} has neither a rate nor a histogram.")
        return Sample(column.process, np.array([rate]), tuple(_effects(reading, i, None)))
    check_bins(template, data, where)
    total = float(template.values.sum())
    if not total > 0 or (abs(total - column.rate) > 0.01 * max(column.rate, 1.0) and column.rate > 0):
        raise DataError(f"{where} has a rate of {column.rate:g}, but its histogram holds {total:g} events.")
    rate = total if rate == -1 else rate
    nominal = _positive(reading, template.values, place) * rate
    errors = np.sqrt(np.maximum(_variances(template), 0.0)) * rate / total if with_errors else None
    return Sample(column.process, nominal, tuple(_effects(reading, i, nominal)), errors)


def _variances(template: Histogram) -> Floats:
    return np.zeros_like(template.values) if template.variances is None else template.variances


def _positive(reading: _Reading, values: Floats, where: str) -> Floats:
    """Contents over their sum; negative bins become empty, as in Combine, with a remark."""
    if np.any(values < 0):
        reading.remark(f"Negative bins count as empty: {where}.")
    kept = np.maximum(values, 0.0)
    return np.asarray(kept / kept.sum())


def _effects(reading: _Reading, i: int, nominal: Floats | None) -> Iterator[Effect]:
    column = reading.card.columns[i]
    if column.number <= 0:
        yield Factor(POI)
    for parameter in reading.card.rate_parameters:
        if fnmatchcase(column.channel, parameter.channel) and fnmatchcase(column.process, parameter.process):
            yield Factor(parameter.name)
    for row in reading.card.systematics:
        cell = row.cells[i]
        if cell is None:
            continue
        try:
            yield from _row_effects(reading, row, column, cell, nominal)
        except DataError as error:
            raise DataError(f"{reading.card.path}:{row.line}: {error}") from error


def _row_effects(
    reading: _Reading,
    row: Systematic,
    column: Column,
    cell: float | tuple[float, float],
    nominal: Floats | None,
) -> Iterator[Effect]:
    if row.kind in ("gmN", "lnU"):
        yield Factor(row.name)
        return
    if row.kind.startswith("shape"):
        varied = None if nominal is None else reading.shapes.varied(column.channel, column.process, row.name)
        if varied is not None and nominal is not None:
            yield from _shape_effects(reading, row, column, cell, nominal)
            return
        if not row.kind.endswith("?"):
            raise DataError(
                f"no templates of {row.name!r} for process {column.process!r} in channel {column.channel!r}."
            )
    down, up = cell if isinstance(cell, tuple) else (1 / cell, cell)
    if (down, up) != (1.0, 1.0):
        yield Rate(row.name, down, up)


def _shape_effects(
    reading: _Reading,
    row: Systematic,
    column: Column,
    cell: float | tuple[float, float],
    nominal: Floats,
) -> Iterator[Effect]:
    """The yield as a log-normal, the template at the nominal yield.

    A cell other than 1 says how many standard deviations one of ours is; the templates are interpolated
    to there.
    """
    found = reading.shapes.varied(column.channel, column.process, row.name)
    base = reading.shapes.nominal(column.channel, column.process)
    if found is None or base is None or isinstance(cell, tuple):
        raise DataError(f"{row.name!r} needs one number for process {column.process!r}.")
    if row.kind.startswith("shapeN"):
        reading.remark("shapeN is interpolated like shape: the same at 0 and ±1 standard deviation.")
    place = f"process {column.process!r} in channel {column.channel!r}"
    what = f"{row.name!r} of {place}"
    norms, templates = [], []
    for histogram in found:
        check_bins(histogram, base, what)
        total = float(histogram.values.sum())
        if not total > 0:
            raise DataError(f"{what} leaves a yield of {total:g}.")
        norms.append((total / float(base.values.sum())) ** cell)
        templates.append(_positive(reading, histogram.values, place) * nominal.sum())
    if cell != 1:
        reading.remark(f"{row.name} counts {cell:g} of its templates' shift as one standard deviation.")
        templates = [_between(nominal, templates[0], templates[1], sign * cell) for sign in (-1, 1)]
    if max(abs(norm - 1) for norm in norms) >= _SMALLEST_NORM:
        yield Rate(row.name, *norms)
    if any(np.abs(template - nominal).max() > 0 for template in templates):
        yield Shape(row.name, *templates)


def _between(nominal: Floats, down: Floats, up: Floats, theta: float) -> Floats:
    """The template at ``theta`` standard deviations: pyhf's code 4p, which Combine uses, too."""
    x = min(max(theta, -1.0), 1.0)
    step = x * (x**2 * (3 * x**2 - 10) + 15) / 8
    moved = nominal + 0.5 * theta * ((up - down) + (up + down - 2 * nominal) * step)
    return np.asarray(np.maximum(moved, 0.0))
