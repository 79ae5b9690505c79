"""From selected events to templates of a fit: every variation paired, smoothed and judged, in one call."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from znought.stats.envelopes import WeightedYields, WeightSet, theory_envelope
from znought.stats.paired import PairedDifference
from znought.stats.smoothing import Smoothed, SmoothingConfig, smoothed
from znought.stats.systematics import SystematicConfig
from znought.stats.template_sums import (
    LOOSER,
    Differences,
    SelectedEvents,
    TemplateSums,
    members,
    varied_sums,
    yields_by_region,
)
from znought.stats.templates import RegionTemplates
from znought.stats.unresolved import NormConfig, NormEstimate, estimated_norm
from znought.stats.yields import Yields

__all__ = [
    "TreatedTemplates",
    "TreatedVariation",
    "TreatmentConfig",
    "theory_yields",
    "treated_change",
    "treated_sums",
    "treated_templates",
    "treated_variations",
    "varied_yields",
]

Floats = NDArray[np.float64]
_OfSystematic = tuple[Mapping[str, Mapping[str, Yields]], Iterator[Differences]]
_ONE_SIDED = 0.01


@dataclass(frozen=True)
class TreatmentConfig:
    """How differences are smoothed, and when a change of yield counts as seen."""

    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    norm: NormConfig = field(default_factory=NormConfig)


@dataclass(frozen=True)
class TreatedVariation:
    """What became of one systematic on one process in one region.

    Attributes:
        p_value: of the paired difference, if the variation changed nothing.
        one_sided: up and down move the process to the same side, by more than they differ.
    """

    systematic: str
    process: str
    region: str
    norm: NormEstimate
    shape: Smoothed
    p_value: float
    one_sided: bool

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader should know, one line each."""
        what = f"{self.systematic} on {self.process} in {self.region}"
        lines = []
        if self.shape.kept_raw:
            lines.append(
                f"{what}: no polynomial describes it (p = {self.shape.p_value:.2g}); it is kept bin by bin."
            )
        if self.norm.verdict == "weak":
            lines.append(
                f"{what}: too few events; its change of the yield, {self.norm.norm:+.2%} ± "
                f"{self.norm.error:.2%} from the {self.norm.source}, is not known well enough."
            )
        if self.one_sided:
            lines.append(
                f"{what}: up and down move it the same way; half their difference is nearly nothing."
            )
        return tuple(lines)

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return {
            "systematic": self.systematic,
            "process": self.process,
            "region": self.region,
            **asdict(self.norm),
            "order": self.shape.order,
            "residual_p_value": self.shape.p_value,
            "p_value": self.p_value,
            "one_sided": self.one_sided,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class TreatedTemplates:
    """Templates of every region under the nominal and every systematic, and what became of each."""

    regions: tuple[RegionTemplates, ...]
    records: tuple[TreatedVariation, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings, one line each."""
        return tuple(line for record in self.records for line in record.warnings)

    @property
    def remarks(self) -> tuple[str, ...]:
        """One line for each systematic that has warnings: how many, of what kind, on which processes."""
        lines = []
        for name in dict.fromkeys(record.systematic for record in self.records):
            of_name = [record for record in self.records if record.systematic == name]
            kinds = {
                "kept bin by bin": [record for record in of_name if record.shape.kept_raw],
                "with a yield that too few events show": [r for r in of_name if r.norm.verdict == "weak"],
                "moved the same way by up and down": [record for record in of_name if record.one_sided],
            }
            found = [f"{len(some)} {kind} ({_where(some)})" for kind, some in kinds.items() if some]
            if found:
                lines.append(f"{name}, of {len(of_name)} templates: {'; '.join(found)}.")
        return tuple(lines)


def treated_templates(
    nominal: SelectedEvents,
    varied: Callable[[str], SelectedEvents],
    edges: Mapping[str, Floats],
    *,
    processes: tuple[str, ...],
    systematics: Mapping[str, SystematicConfig],
    config: TreatmentConfig | None = None,
) -> TreatedTemplates:
    """Templates for `build_workspace`, each variation as ν ± δ with δ smoothed by its paired errors.

    δ is (up − down)/2, or alternative − nominal for a two-point systematic. A change of yield that the
    region's events do not show is that of all events of the process. A systematic whose `smoothing` is not
    "polynomial" keeps up and down as they are.

    Args:
        nominal: events.
        varied: gives the events of a variation by its name, `jes_up`; of a two-point systematic by its own.
            One systematic is asked for at a time.
        edges: region → edges of its bins.
        processes: their order in the templates.
        systematics: name → how it is treated.
        config: limits.

    Raises:
        DataError: an unknown process or region among the events.
    """
    central = yields_by_region(nominal, edges, processes)

    def found(name: str) -> _OfSystematic:
        return varied_sums(nominal, varied, edges, processes, name, systematics[name])

    return _treated(central, found, systematics, config)


def treated_sums(
    sums: TemplateSums,
    systematics: Mapping[str, SystematicConfig],
    config: TreatmentConfig | None = None,
) -> TreatedTemplates:
    """The same from sums over all events.

    Args:
        sums: of `znought.stats.template_sums.template_sums`, of parts of the events and added up.
        systematics: name → how it is treated.
        config: limits.
    """
    return _treated(
        sums.nominal, lambda name: (sums.varied, iter([sums.differences[name]])), systematics, config
    )


def _treated(
    nominal: Mapping[str, Yields],
    varied: Callable[[str], _OfSystematic],
    systematics: Mapping[str, SystematicConfig],
    config: TreatmentConfig | None,
) -> TreatedTemplates:
    variations: dict[str, dict[str, Yields]] = {region: {} for region in nominal}
    records: list[TreatedVariation] = []
    for name, systematic in systematics.items():
        as_it_is, by_process = varied(name)
        found = {}
        for differences in by_process:
            for record in treated_variations(name, systematic, differences, nominal, config):
                place = record.region, record.process
                found[place] = record, treated_change(differences[place], record.shape, record.norm)
        places = [(region, process) for region, one in nominal.items() for process in one.processes]
        records += (found[place][0] for place in places if place in found)
        changes = {place: change for place, (_, change) in found.items()}
        for region, central in nominal.items():
            if systematic.weights is not None:
                one = theory_yields(name, systematic.weights, as_it_is[region], central)
            elif systematic.smoothing == "polynomial":
                one = varied_yields(changes, name, systematic, region, central)
            else:
                one = {way: as_it_is[region][way] for way in systematic.variations(name)}
            variations[region] |= one
    regions = tuple(RegionTemplates(name, one, variations[name]) for name, one in nominal.items())
    return TreatedTemplates(regions, tuple(records))


def treated_change(difference: PairedDifference, shape: Smoothed, norm: NormEstimate) -> Floats:
    """δ of one process in one region: its smoothed shape, with the yield of a looser region where need be."""
    nominal = np.maximum(difference.nominal, 0.0)
    if norm.source == "region" or not nominal.sum() > 0:
        return shape.change
    return np.asarray(shape.change + nominal * (norm.norm - shape.change.sum() / nominal.sum()))


def theory_yields(
    name: str, weights: WeightSet, varied: Mapping[str, Yields], nominal: Yields
) -> dict[str, Yields]:
    """Up and down templates of a set of theory weights in one region, for every process.

    Args:
        name: of the systematic.
        weights: the set.
        varied: yields with a member's weight by its name; each dataset normalised by that weight's own sum
            over generated events, so that rates stay the nominal's. With `keep_rate` by the nominal's sum.
        nominal: yields. The central weight, if the set has one, is asked for by its name too.
    """
    tables = [varied[member].sumw for member in members(weights)]
    tables = tables if weights.central else [nominal.sumw, *tables]
    up, down = nominal.sumw.copy(), nominal.sumw.copy()
    for i in range(len(nominal.processes)):
        first, *rest = (WeightedYields(table[i], 1.0) for table in tables)
        envelope = theory_envelope(nominal.sumw[i], first, rest, weights)
        up[i], down[i] = envelope.up, envelope.down
    return {f"{name}_up": replace(nominal, sumw=up), f"{name}_down": replace(nominal, sumw=down)}


def varied_yields(
    changes: Mapping[tuple[str, str], Floats],
    name: str,
    systematic: SystematicConfig,
    region: str,
    nominal: Yields,
) -> dict[str, Yields]:
    """Templates ν ± δ of one systematic in one region, by variation, from δ by region and process."""
    change = np.zeros_like(nominal.sumw)
    for i, process in enumerate(nominal.processes):
        if (region, process) in changes:
            change[i] = changes[region, process]
    ways = zip(systematic.variations(name), (1.0, -1.0), strict=False)
    return {way: replace(nominal, sumw=nominal.sumw + sign * change) for way, sign in ways}


def treated_variations(
    name: str,
    systematic: SystematicConfig,
    differences: Differences,
    nominal: Mapping[str, Yields],
    config: TreatmentConfig | None = None,
) -> Iterator[TreatedVariation]:
    """What becomes of one systematic on every process with a yield in every region that it acts on.

    Args:
        name: of the systematic.
        systematic: how it is treated.
        differences: as `differences_of` gives them, of all processes or some.
        nominal: region → yields.
        config: limits.
    """
    settings = config or TreatmentConfig()
    smooth = systematic.smoothing == "polynomial"
    for region, central in nominal.items():
        expected = float(central.sumw.sum())
        for process in central.processes:
            found = differences.get((region, process))
            if found is None or not systematic.acts_on(process, region) or not found.nominal.sum() > 0:
                continue
            norm = estimated_norm(
                found,
                differences[LOOSER, process] if smooth else None,
                statistical_error=float(np.sqrt(max(expected, 1.0))),
                config=settings.norm,
            )
            shape = smoothed(found, settings.smoothing)
            if not smooth:
                shape = replace(shape, change=found.change, covariance=found.covariance)
            yield TreatedVariation(name, process, region, norm, shape, found.p_value(), _one_sided(found))


def _where(records: Sequence[TreatedVariation]) -> str:
    """Process and region of the first few."""
    names = [f"{record.process} in {record.region}" for record in records[:3]]
    return ", ".join(names) + (", …" if len(records) > len(names) else "")


def _one_sided(found: PairedDifference) -> bool:
    p_value = found.bend_p_value()
    if p_value is None or p_value >= _ONE_SIDED:
        return False
    return bool(np.sum(found.bend**2) > np.sum(found.change**2))
