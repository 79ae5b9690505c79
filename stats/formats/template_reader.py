"""Templates that someone brings, as a likelihood."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.stats.formats.description import (
    Description,
    NormLine,
    RegionLine,
    SystematicLine,
    read_description,
)
from znought.stats.formats.histograms import Histogram, Histograms, open_histograms
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
)
from znought.stats.spec import measurement_name

__all__ = ["read_templates"]

Floats = NDArray[np.float64]


@dataclass
class _Reading:
    """The description, its histograms, and the remarks that come up."""

    description: Description
    file: Histograms
    remarks: list[str] = field(default_factory=list)

    def histogram(self, region: str, process: str, variation: str = "") -> Histogram:
        """A histogram in the region's bins."""
        name = self.description.pattern.format(region=region, process=process, variation=variation)
        line = self.description.regions[region] or RegionLine()
        found = self.file[name]
        if not np.all(np.isfinite(found.values)):
            raise DataError(
                f"{self.file.path}: histogram {name!r} holds a value that is not a finite number."
            )
        return found if line.edges is None else found.rebinned(np.asarray(line.edges, np.float64), name)


def read_templates(path: Path) -> Likelihood:
    """The likelihood of templates and their description.

    A variation is split into its yield, a log-normal, and its template at the nominal yield; a one-sided
    one is mirrored in both. Without recorded data the expectation stands for them, and the name of the
    measurement says so.

    Args:
        path: of the description, a YAML file.

    Raises:
        CardError: a mistake in the description.
        DataError: a histogram that is missing, has other bins, or holds no errors where they are wanted.
    """
    description = read_description(path)
    reading = _Reading(description, open_histograms(path.parent / description.templates))
    channels = tuple(_channel(reading, region) for region in description.regions)
    settings = [Setting(description.poi, (1.0,), (description.poi_range,))]
    settings += [Setting(f"norm_{name}", (1.0,), ((0.0, 10.0),)) for name in description.floating]
    asimov = () if description.data else tuple(description.regions)
    return Likelihood(
        channels=channels,
        poi=description.poi,
        settings=tuple(settings),
        remarks=tuple(reading.remarks),
        title=measurement_name(asimov) if asimov else description.title,
    )


def _channel(reading: _Reading, region: str) -> Channel:
    description = reading.description
    samples = []
    for process in description.processes:
        nominal = reading.histogram(region, process)
        if nominal.values.sum() <= 0:
            reading.remarks.append(f"{process} has no positive yield in {region} and is left out there.")
            continue
        samples.append(_sample(reading, region, process, nominal))
    if not samples:
        raise DataError(f"no process has a positive yield in region {region!r}.")
    expected = np.sum([sample.nominal for sample in samples], axis=0)
    data = reading.histogram(region, description.data) if description.data else None
    mc_stat = McStat(f"mcstat_{region}", description.mc_stat_threshold) if description.mc_stat else None
    edges = reading.histogram(region, samples[0].name).edges
    return Channel(region, expected if data is None else data.values, tuple(samples), mc_stat, edges)


def _sample(reading: _Reading, region: str, process: str, nominal: Histogram) -> Sample:
    description = reading.description
    errors = None
    if description.mc_stat:
        if nominal.variances is None:
            raise DataError(
                f"the template of {process} in {region} holds no variances; give them, or set mc_stat: false."
            )
        errors = np.sqrt(np.maximum(nominal.variances, 0.0))
    values = _positive(reading, nominal.values, f"{process} in {region}")
    return Sample(process, values, tuple(_effects(reading, region, process, values)), errors)


def _positive(reading: _Reading, values: Floats, where: str) -> Floats:
    """Negative bins become empty, at the same yield, with a remark."""
    if not np.any(values < 0):
        return values
    remark = f"Negative bins count as empty: {where}."
    if remark not in reading.remarks:
        reading.remarks.append(remark)
    kept = np.maximum(values, 0.0)
    return np.asarray(kept * (values.sum() / kept.sum()))


def _effects(reading: _Reading, region: str, process: str, nominal: Floats) -> Iterator[Effect]:
    description = reading.description
    if process in description.signal:
        yield Factor(description.poi)
    if process in description.floating:
        yield Factor(f"norm_{process}")
    for name, norm in description.norms.items():
        if _acts(norm, region, process):
            yield Rate(name, 1 / norm.up if norm.down is None else norm.down, norm.up)
    for name, line in description.systematics.items():
        if _acts(line, region, process):
            yield from _variation(reading, (region, process), name, line, nominal)


def _acts(line: NormLine | SystematicLine, region: str, process: str) -> bool:
    return (line.processes is None or process in line.processes) and (
        line.regions is None or region in line.regions
    )


def _variation(
    reading: _Reading, place: tuple[str, str], name: str, line: SystematicLine, nominal: Floats
) -> Iterator[Effect]:
    """Yield and template at −1 and +1 standard deviation."""
    up, shape_up = _split(reading, place, line.up, nominal)
    if line.down is None:
        down, shape_down = 2 - up, 2 * nominal - shape_up
    else:
        down, shape_down = _split(reading, place, line.down, nominal)
    try:
        yield Rate(name, down, up)
    except DataError as error:
        raise DataError(f"{place[1]} in {place[0]}: {error}") from error
    yield Shape(name, shape_down, shape_up)


def _split(
    reading: _Reading, place: tuple[str, str], variation: str, nominal: Floats
) -> tuple[float, Floats]:
    region, process = place
    found = reading.histogram(region, process, variation)
    where = f"{process}{variation} in {region}"
    if found.values.shape != nominal.shape:
        raise DataError(f"{where} has {found.values.size} bins, the nominal template {nominal.size}.")
    total = float(found.values.sum())
    if not total > 0:
        raise DataError(f"{where} leaves a yield of {total:g}; a variation must keep it positive.")
    factor = total / float(nominal.sum())
    return factor, _positive(reading, found.values, where) / factor
