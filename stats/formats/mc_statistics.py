"""MC-statistical errors of a channel as pyhf's modifiers, both ways."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.stats.formats.likelihood import Channel, Factor, McStat, Sample
from znought.stats.mcstat import effective_events

__all__ = ["ReadMcStat", "mc_modifiers", "read_mc_stat"]

Floats = NDArray[np.float64]
Json = dict[str, Any]


def mc_modifiers(channel: Channel, poi: str) -> list[list[Json]]:
    """Modifiers of every sample: a `staterror` where bins share a factor, a `shapesys` where they do not.

    A bin has one Gaussian factor where the effective background events, (Σw)²/Σw² to the nearest integer,
    exceed the threshold; else every sample has a factor γ and Poisson(n | γn) with its effective events n.

    Args:
        channel: with or without MC statistics.
        poi: what scales with it is signal, which does not decide unless `McStat.with_signal`.

    References:
        Combine's manual, "Automatic statistical uncertainties"; Conway, arXiv:1103.0354.
    """
    mc_stat = channel.mc_stat
    if mc_stat is None:
        return [[] for _ in channel.samples]
    shared = _shared(channel, mc_stat, poi)
    return [_modifiers(mc_stat, sample, shared) for sample in channel.samples]


def _modifiers(mc_stat: McStat, sample: Sample, shared: NDArray[np.bool_]) -> list[Json]:
    if sample.errors is None:
        return []
    found = []
    if shared.any():
        data = np.where(shared, sample.errors, 0.0).tolist()
        found.append({"name": mc_stat.name, "type": "staterror", "data": data})
    own = np.where(~shared & (sample.nominal > 0), sample.errors, 0.0)
    if own.any():
        found.append({"name": f"{mc_stat.name}_{sample.name}", "type": "shapesys", "data": own.tolist()})
    return found


def _shared(channel: Channel, mc_stat: McStat, poi: str) -> NDArray[np.bool_]:
    if mc_stat.threshold <= 0:
        return np.ones(channel.observed.shape, dtype=np.bool_)
    return _effective(channel, poi, with_signal=mc_stat.with_signal) > mc_stat.threshold


def _effective(channel: Channel, poi: str, *, with_signal: bool) -> Floats:
    """Effective events of every bin, to the nearest integer; infinite without an error."""
    total, sumw2 = np.zeros_like(channel.observed), np.zeros_like(channel.observed)
    for sample in channel.samples:
        if sample.errors is not None and (with_signal or not sample.has(poi)):
            total, sumw2 = total + sample.nominal, sumw2 + sample.errors**2
    return np.rint(effective_events(total, sumw2))


@dataclass(frozen=True)
class ReadMcStat:
    """MC statistics that were found among modifiers.

    Attributes:
        mc_stat: None where there are none.
        errors: sample → errors.
        used: (sample, name) of the modifiers that say so.
    """

    mc_stat: McStat | None = None
    errors: Mapping[str, Floats] | None = None
    used: frozenset[tuple[str, str]] = frozenset()


def read_mc_stat(channel: str, observed: Floats, entries: Sequence[Json], poi: str) -> ReadMcStat:
    """The MC statistics that a channel's `staterror` and `shapesys` amount to.

    `shapesys` modifiers count where `mc_modifiers` would write exactly them for some threshold; others are
    left as they are.

    Args:
        channel: its name.
        observed: its data, shape (n_bins,).
        entries: its samples, as in pyhf's JSON.
        poi: name of the parameter of interest.

    Raises:
        DataError: `staterror` modifiers of several names.
    """
    common, own = _by_sample(entries, "staterror"), _by_sample(entries, "shapesys")
    names = sorted({name for name, _ in common.values()})
    if len(names) > 1:
        raise DataError(f"channel {channel!r} has several staterrors: {', '.join(names)}.")
    name = names[0] if names else _common_name(own)
    if name is None:
        return ReadMcStat()
    own = {sample: found for sample, found in own.items() if found[0] == f"{name}_{sample}"}
    for with_signal in (False, True):
        found = _with_threshold(channel, observed, entries, (name, common, own), poi, with_signal=with_signal)
        if found is not None:
            return found
    if not common:
        return ReadMcStat()
    return _read(McStat(name), {sample: data for sample, (_, data) in common.items()}, name, ())


_Named = dict[str, tuple[str, Floats]]


def _by_sample(entries: Sequence[Json], kind: str) -> _Named:
    """Sample → name and data of its modifier of a kind; samples without, or with several, are left out."""
    found = {}
    for entry in entries:
        of_kind = [m for m in entry["modifiers"] if m["type"] == kind]
        if kind == "shapesys":
            of_kind = [m for m in of_kind if m["name"].endswith(f"_{entry['name']}")]
        if len(of_kind) == 1:
            found[entry["name"]] = (of_kind[0]["name"], np.asarray(of_kind[0]["data"], dtype=np.float64))
    return found


def _common_name(own: _Named) -> str | None:
    """What stands before the sample in every name."""
    stems = {name.removesuffix(f"_{sample}") for sample, (name, _) in own.items()}
    return stems.pop() if len(stems) == 1 else None


def _with_threshold(
    channel: str,
    observed: Floats,
    entries: Sequence[Json],
    found: tuple[str, _Named, _Named],
    poi: str,
    *,
    with_signal: bool,
) -> ReadMcStat | None:
    """MC statistics with the lowest threshold that separates the bins; None where no threshold does."""
    name, common, own = found
    zero = np.zeros_like(observed)
    errors = {
        sample: common.get(sample, ("", zero))[1] + own.get(sample, ("", zero))[1] for sample in common | own
    }
    rebuilt = Channel(channel, observed, _plain(entries, errors, poi))
    alone = sum((data for _, data in own.values()), zero) > 0
    # Bins without background have no effective event, and a threshold of zero makes every bin Gaussian.
    lowest = 0.5 if alone.any() else 0.0
    threshold = _effective(rebuilt, poi, with_signal=with_signal)[alone].max(initial=lowest)
    if not np.isfinite(threshold):
        return None
    mc_stat = McStat(name, float(threshold), with_signal)
    written = mc_modifiers(Channel(channel, observed, rebuilt.samples, mc_stat), poi)
    for entry, modifiers in zip(entries, written, strict=True):
        kept = {(m["name"], tuple(m["data"])) for m in modifiers if np.any(m["data"])}
        sample = entry["name"]
        named = [part[sample] for part in (common, own) if sample in part]
        if kept != {(label, tuple(data.tolist())) for label, data in named if data.any()}:
            return None
    return _read(mc_stat, errors, name, own)


def _plain(entries: Sequence[Json], errors: Mapping[str, Floats], poi: str) -> tuple[Sample, ...]:
    """Samples with their errors, and with the signal strength as only effect."""
    samples = []
    for entry in entries:
        signal = any(m["type"] == "normfactor" and m["name"] == poi for m in entry["modifiers"])
        nominal = np.asarray(entry["data"], dtype=np.float64)
        effects = (Factor(poi),) if signal else ()
        samples.append(Sample(entry["name"], nominal, effects, errors.get(entry["name"])))
    return tuple(samples)


def _read(
    mc_stat: McStat, errors: Mapping[str, Floats], name: str, own: Mapping[str, object] | tuple[()]
) -> ReadMcStat:
    used = {(sample, name) for sample in errors} | {(sample, f"{name}_{sample}") for sample in own}
    return ReadMcStat(mc_stat, errors, frozenset(used))
