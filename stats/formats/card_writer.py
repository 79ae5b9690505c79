"""A likelihood as a text card of CMS' Combine with a ROOT file of shapes."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uproot
from numpy.typing import NDArray

from znought.errors import DataError
from znought.stats.exchange import replace_file
from znought.stats.formats.likelihood import (
    BinCounts,
    BinFactors,
    Channel,
    Factor,
    Likelihood,
    Luminosity,
    Rate,
    Sample,
    Shape,
)
from znought.stats.formats.pyhf_json import from_spec, to_spec
from znought.stats.formats.renaming import renamed
from znought.stats.spec import Spec, asimov_channels

__all__ = ["write_card", "write_datacard"]

Floats = NDArray[np.float64]
_RULE = "-" * 40
_ORIGIN = "# data_obs in {}: Asimov, the expectation at mu = 1, no recorded data"


@dataclass(frozen=True)
class _Column:
    """One sample with the channel that it stands in."""

    channel: Channel
    sample: Sample

    def rate(self, name: str) -> Rate | None:
        return next((e for e in self.sample.effects if isinstance(e, Rate) and e.name == name), None)

    def shape(self, name: str) -> Shape | None:
        return next((e for e in self.sample.effects if isinstance(e, Shape) and e.name == name), None)


def write_datacard(path: Path, spec: Spec) -> tuple[str, ...]:
    """Write a pyhf workspace as ``path`` and, beside it, ``<stem>_shapes.root``; see `write_card`."""
    return write_card(path, from_spec(spec))


def write_card(path: Path, likelihood: Likelihood) -> tuple[str, ...]:
    """Write ``path`` and, where there are templates, ``<stem>_shapes.root`` beside it.

    A systematic with a shape is written as templates that carry its norm, too; one with a norm alone as
    lnN. Free factors become rateParams, sidebands gmN, MC statistics autoMCStats. Numbers are written to
    the last digit. Where ``data_obs`` is the expectation and no recorded data, a comment of the card and the
    histogram's title say so. Names lose their blanks, and get a letter in front where they begin with none.

    Returns:
        What means something else to Combine than it did here, one sentence each.

    Raises:
        DataError: an effect that the card has no word for, or two names that become one.
    """
    likelihood = renamed(likelihood, _word)
    asimov = asimov_channels(to_spec(likelihood))
    columns = [_Column(channel, sample) for channel in likelihood.channels for sample in channel.samples]
    _check_words(columns, likelihood.poi)
    shapes = None if _only_counts(likelihood) else path.with_name(f"{path.stem}_shapes.root")
    if shapes is not None:
        replace_file(shapes, lambda temporary: _write_shapes(temporary, columns, likelihood, asimov))
    lines = _lines(likelihood, columns, None if shapes is None else shapes.name)
    text = "\n".join([*(_ORIGIN.format(_word(name)) for name in asimov), *lines]) + "\n"
    replace_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return tuple(_remarks(columns))


def _word(name: str) -> str:
    """A name without blanks that begins with a letter."""
    plain = re.sub(r"[^A-Za-z0-9_.+\-]", "_", name)
    return plain if re.match(r"[A-Za-z_]", plain) else f"n_{plain}"


def _only_counts(likelihood: Likelihood) -> bool:
    """Whether every channel is one number without MC statistics."""
    return all(
        channel.observed.size == 1
        and channel.mc_stat is None
        and not any(isinstance(effect, Shape) for sample in channel.samples for effect in sample.effects)
        for channel in likelihood.channels
    )


def _check_words(columns: list[_Column], poi: str) -> None:
    signals: dict[str, bool] = {}
    for column in columns:
        name = column.sample.name
        for effect in column.sample.effects:
            if isinstance(effect, Luminosity | BinCounts | BinFactors):
                raise DataError(
                    f"the text card has no word for {effect.name!r} on sample {name!r}: "
                    "a factor per bin, or a factor with a Gaussian constraint."
                )
        if signals.setdefault(name, column.sample.has(poi)) != column.sample.has(poi):
            raise DataError(f"process {name!r} is signal in one channel and background in another.")


def _remarks(columns: list[_Column]) -> Iterator[str]:
    names = {
        effect.name
        for column in columns
        for effect in column.sample.effects
        if isinstance(effect, Shape) and not _keeps_yield(effect, column.sample.nominal)
    }
    for name in sorted(names):
        yield f"{name}: the yield of its templates adds up in pyhf, and is a log-normal factor in Combine."


def _keeps_yield(shape: Shape, nominal: Floats) -> bool:
    total = nominal.sum()
    return all(abs(values.sum() - total) <= 1e-6 * total for values in (shape.down, shape.up))


def _write_shapes(path: Path, columns: list[_Column], likelihood: Likelihood, asimov: Sequence[str]) -> None:
    expected = {_word(name) for name in asimov}
    with uproot.recreate(path) as file:
        for channel in likelihood.channels:
            title = "Asimov data (expected, not recorded)" if channel.name in expected else "observed data"
            file[f"{channel.name}/data_obs"] = _histogram(channel.observed, channel.observed, channel, title)
        for column in columns:
            sample, channel = column.sample, column.channel
            sumw2 = 0 * sample.nominal if sample.errors is None else sample.errors**2
            base = f"{channel.name}/{sample.name}"
            file[base] = _histogram(sample.nominal, sumw2, channel)
            for name, (down, up) in _templates(column).items():
                file[f"{base}_{name}Down"] = _histogram(down, sumw2, channel)
                file[f"{base}_{name}Up"] = _histogram(up, sumw2, channel)


def _templates(column: _Column) -> dict[str, tuple[Floats, Floats]]:
    """Templates of every systematic with a shape; they absorb the norm of the same name."""
    found = {}
    for effect in column.sample.effects:
        if isinstance(effect, Shape):
            norm = column.rate(effect.name) or Rate(effect.name, 1.0, 1.0)
            found[effect.name] = (norm.down * effect.down, norm.up * effect.up)
    return found


def _histogram(values: Floats, variances: Floats, channel: Channel, title: str = "") -> object:
    edges = np.arange(values.size + 1.0) if channel.edges is None else channel.edges
    padded = [np.pad(np.asarray(x, dtype=np.float64), 1) for x in (values, variances)]
    return uproot.writing.identify.to_TH1x(
        fName=None,
        fTitle=title,
        data=padded[0],
        fEntries=float(values.sum()),
        fTsumw=float(values.sum()),
        fTsumw2=float(variances.sum()),
        fTsumwx=0.0,
        fTsumwx2=0.0,
        fSumw2=padded[1],
        fXaxis=uproot.writing.identify.to_TAxis(
            fName="xaxis",
            fTitle="bin",
            fNbins=values.size,
            fXmin=float(edges[0]),
            fXmax=float(edges[-1]),
            fXbins=edges,
        ),
    )


def _lines(likelihood: Likelihood, columns: list[_Column], shapes: str | None) -> Iterator[str]:
    yield f"imax {len(likelihood.channels)}"
    yield "jmax *"
    yield "kmax *"
    yield _RULE
    if shapes is not None:
        yield f"shapes * * {shapes} $CHANNEL/$PROCESS $CHANNEL/$PROCESS_$SYSTEMATIC"
        yield _RULE
    yield _row("bin", (channel.name for channel in likelihood.channels))
    yield _row("observation", (_number(channel.observed.sum()) for channel in likelihood.channels))
    yield _RULE
    index = _process_index(columns, likelihood.poi)
    yield _row("bin", (column.channel.name for column in columns))
    yield _row("process", (column.sample.name for column in columns))
    yield _row("process", (str(index[column.sample.name]) for column in columns))
    empty = {sideband.name for sideband in likelihood.sidebands if sideband.counts == 0}
    yield _row("rate", (_rate(column.sample, empty) for column in columns))
    yield _RULE
    yield from _systematics(columns)
    yield from _sidebands(likelihood, columns)
    yield from _rate_parameters(likelihood, columns)
    for name, members in likelihood.groups.items():
        yield f"{name} group = {' '.join(members)}"
    for channel in likelihood.channels:
        if channel.mc_stat is not None:
            stats = channel.mc_stat
            yield f"{channel.name} autoMCStats {_number(stats.threshold)}{' 1' * stats.with_signal}"


def _rate(sample: Sample, empty: set[str]) -> str:
    """The yield, which is zero where an empty sideband is all that it is known from."""
    return "0" if any(sample.has(name) for name in empty) else _number(float(sample.nominal.sum()))


def _systematics(columns: list[_Column]) -> Iterator[str]:
    """A row per systematic: lnN, shape, or Combine's "shape?", a template where there is one."""
    effects = [effect for column in columns for effect in column.sample.effects]
    shaped = {effect.name for effect in effects if isinstance(effect, Shape)}
    for name in sorted({effect.name for effect in effects if isinstance(effect, Rate | Shape)}):
        mixed = any(column.rate(name) and not column.shape(name) for column in columns)
        kind = ("shape?" if mixed else "shape") if name in shaped else "lnN"
        yield _row(f"{name} {kind}", (_cell(column, name) for column in columns))


def _cell(column: _Column, name: str) -> str:
    if column.shape(name) is not None:
        return "1"
    norm = column.rate(name)
    if norm is None:
        return "-"
    return _number(norm.up) if norm.down == 1 / norm.up else f"{_number(norm.down)}/{_number(norm.up)}"


def _sidebands(likelihood: Likelihood, columns: list[_Column]) -> Iterator[str]:
    for sideband in likelihood.sidebands:
        counts = max(sideband.counts, 1)
        cells = [
            _number(column.sample.nominal.sum() / counts) if column.sample.has(sideband.name) else "-"
            for column in columns
        ]
        yield _row(f"{sideband.name} gmN {sideband.counts}", cells)


def _rate_parameters(likelihood: Likelihood, columns: list[_Column]) -> Iterator[str]:
    others = {likelihood.poi, *(sideband.name for sideband in likelihood.sidebands)}
    for column in columns:
        for effect in column.sample.effects:
            if isinstance(effect, Factor) and effect.name not in others:
                setting = likelihood.setting(effect.name)
                start = setting.starts[0] if setting.starts else 1.0
                low, high = setting.bounds[0] if setting.bounds else (0.0, 10.0)
                where = f"{column.channel.name} {column.sample.name}"
                span = f"[{_number(low)},{_number(high)}]"
                yield f"{effect.name} rateParam {where} {_number(start)} {span}"


def _process_index(columns: list[_Column], poi: str) -> dict[str, int]:
    """Combine's numbers: zero and below for signals, above zero for backgrounds."""
    signals = list(dict.fromkeys(c.sample.name for c in columns if c.sample.has(poi)))
    backgrounds = list(dict.fromkeys(c.sample.name for c in columns if not c.sample.has(poi)))
    numbers = {process: -i for i, process in enumerate(signals)}
    return numbers | {process: i + 1 for i, process in enumerate(backgrounds)}


def _number(value: float) -> str:
    """The shortest text that reads as the same number."""
    return f"{int(value)}" if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _row(head: str, cells: Iterable[str]) -> str:
    return " ".join([f"{head:<24}", *(f"{cell:>14}" for cell in cells)])
