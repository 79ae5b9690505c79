"""From selected events to templates of a fit: every variation paired, smoothed and judged, in one call."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name
from znought.stats.envelopes import WeightedYields, WeightSet, theory_envelope
from znought.stats.labels import Labels
from znought.stats.ordered import bin_index
from znought.stats.paired import BinnedEvents, PairedDifference, paired_difference
from znought.stats.smoothing import Smoothed, SmoothingConfig, smoothed
from znought.stats.systematics import SystematicConfig
from znought.stats.templates import RegionTemplates
from znought.stats.unresolved import NormConfig, NormEstimate, estimated_norm
from znought.stats.yields import Yields, count_yields

__all__ = [
    "LOOSER",
    "Differences",
    "SelectedEvents",
    "TreatedTemplates",
    "TreatedVariation",
    "TreatmentConfig",
    "paired_differences",
    "theory_yields",
    "treated_change",
    "treated_templates",
    "treated_variations",
    "varied_yields",
]

Floats = NDArray[np.float64]
Strings = NDArray[np.str_] | Labels
Differences = dict[tuple[str, str], PairedDifference]

LOOSER = ""
"""Key of all events of a process, in a region of the fit or in none."""
_ONE_SIDED = 0.01


@dataclass(frozen=True)
class SelectedEvents:
    """Simulated events under the nominal or one variation, in a region of the fit or in none.

    Attributes:
        identity: integer of the generated event, the dataset being part of it, shape (n_rows,). A variation
            keeps the nominal event's.
        process: name, shape (n_rows,).
        region: name, "" for events that are in no region of the fit but in the looser one, shape (n_rows,).
        discriminant: what is binned in the region, shape (n_rows,).
        weights: in expected events, shape (n_rows,).
    """

    identity: NDArray[np.integer]
    process: Strings
    region: Strings
    discriminant: Floats
    weights: Floats

    def __post_init__(self) -> None:
        for name, values in vars(self).items():
            if np.shape(values) != np.shape(self.weights):
                raise DataError(
                    f"{name} must hold one value per event. "
                    f"Received: {np.size(values)} for {np.size(self.weights)} events."
                )

    @classmethod
    def joined(cls, parts: Sequence["SelectedEvents"]) -> "SelectedEvents":
        """The events of some parts, one behind the other."""
        rows = [(part.identity, part.discriminant, part.weights) for part in parts]
        identity, discriminant, weights = (np.concatenate(each) for each in zip(*rows, strict=True))
        process = Labels.joined([Labels.of(part.process) for part in parts])
        region = Labels.joined([Labels.of(part.region) for part in parts])
        return cls(identity, process, region, discriminant, weights)

    def binned(self, process: str, region: str, edges: Floats) -> BinnedEvents:
        """Events of one process in the bins of one region; all of its events in one bin for `LOOSER`."""
        rows = self.process == process
        if region == LOOSER:
            bins: NDArray[np.integer] = np.zeros(int(rows.sum()), np.int8)
        else:
            rows &= self.region == region
            bins = bin_index(self.discriminant[rows], edges)
        return BinnedEvents(self.identity[rows], bins, self.weights[rows])

    def yields(self, region: str, edges: Floats, processes: tuple[str, ...]) -> Yields:
        """Yields of every process in the bins of one region."""
        rows = self.region == region
        return count_yields(
            self.discriminant[rows],
            self.weights[rows],
            self.process[rows],
            edges,
            processes=processes,
            identity=self.identity[rows],
        )


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
    _known(nominal, processes, edges)
    yields = {region: nominal.yields(region, bins, processes) for region, bins in edges.items()}
    variations: dict[str, dict[str, Yields]] = {region: {} for region in edges}
    records: list[TreatedVariation] = []
    for name, systematic in systematics.items():
        if systematic.weights is not None:
            ends = theory_yields(name, systematic.weights, varied, yields)
            variations = {region: found | ends[region] for region, found in variations.items()}
            continue
        found = {way: _known(varied(way), processes, edges) for way in systematic.variations(name)}
        treated = list(_treated(name, systematic, nominal, list(found.values()), yields, config))
        records += (record for record, _ in treated)
        changes = {(record.region, record.process): change for record, change in treated}
        for region, central in yields.items():
            if systematic.smoothing == "polynomial":
                variations[region] |= varied_yields(changes, name, systematic, region, central)
            else:
                raw = {way: events.yields(region, edges[region], processes) for way, events in found.items()}
                variations[region] |= raw
    regions = tuple(RegionTemplates(name, yields[name], variations[name]) for name in edges)
    return TreatedTemplates(regions, tuple(records))


def _treated(
    name: str,
    systematic: SystematicConfig,
    nominal: SelectedEvents,
    varied: list[SelectedEvents],
    yields: Mapping[str, Yields],
    config: TreatmentConfig | None,
) -> Iterator[tuple[TreatedVariation, Floats]]:
    """What becomes of one systematic, with δ, by region and process; differences of one process at a time."""
    edges = {region: central.edges for region, central in yields.items()}
    found = {}
    for process in dict.fromkeys(name for central in yields.values() for name in central.processes):
        differences = paired_differences(nominal, varied, edges, processes=(process,))
        for record in treated_variations(name, systematic, differences, yields, config):
            change = treated_change(differences[record.region, process], record.shape, record.norm)
            found[record.region, process] = record, change
    places = ((region, process) for region, central in yields.items() for process in central.processes)
    yield from (found[place] for place in places if place in found)


def paired_differences(
    nominal: SelectedEvents,
    varied: list[SelectedEvents],
    edges: Mapping[str, Floats],
    *,
    processes: tuple[str, ...],
) -> Differences:
    """Paired difference by (region, process), and of all events of each process under `LOOSER`.

    Args:
        nominal: events.
        varied: up and down, or the one alternative.
        edges: region → edges of its bins.
        processes: names.
    """
    found = {}
    for region, bins in {**edges, LOOSER: np.array([0.0, 1.0])}.items():
        for process in processes:
            parts = [events.binned(process, region, bins) for events in (nominal, *varied)]
            down = parts[2] if len(parts) > 2 else None
            found[region, process] = paired_difference(parts[0], parts[1], down, bins.size - 1)
    return found


def treated_change(difference: PairedDifference, shape: Smoothed, norm: NormEstimate) -> Floats:
    """δ of one process in one region: its smoothed shape, with the yield of a looser region where need be."""
    nominal = np.maximum(difference.nominal, 0.0)
    if norm.source == "region" or not nominal.sum() > 0:
        return shape.change
    return np.asarray(shape.change + nominal * (norm.norm - shape.change.sum() / nominal.sum()))


def theory_yields(
    name: str,
    weights: WeightSet,
    varied: Callable[[str], SelectedEvents],
    nominal: Mapping[str, Yields],
) -> dict[str, dict[str, Yields]]:
    """Region → up and down templates of a set of theory weights, for every process.

    Args:
        name: of the systematic.
        weights: the set.
        varied: gives the events with a member's weight by its name; each dataset normalised by that
            weight's own sum over generated events, so that rates stay the nominal's. With `keep_rate` by
            the nominal's sum.
        nominal: region → yields. The central weight, if the set has one, is asked for by its name too.
    """
    names = (*([weights.central] if weights.central else []), *weights.members)
    tables: dict[str, list[Floats]] = {region: [] for region in nominal}
    for member in names:
        events = varied(member)
        for region, central in nominal.items():
            tables[region].append(events.yields(region, central.edges, central.processes).sumw)
    found = {}
    for region, central in nominal.items():
        members = tables[region] if weights.central else [central.sumw, *tables[region]]
        up, down = central.sumw.copy(), central.sumw.copy()
        for i in range(len(central.processes)):
            first, *rest = (WeightedYields(table[i], 1.0) for table in members)
            envelope = theory_envelope(central.sumw[i], first, rest, weights)
            up[i], down[i] = envelope.up, envelope.down
        found[region] = {f"{name}_up": replace(central, sumw=up), f"{name}_down": replace(central, sumw=down)}
    return found


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
        differences: as `paired_differences` gives them, of all processes or some.
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


def _known(events: SelectedEvents, processes: tuple[str, ...], edges: Mapping[str, Floats]) -> SelectedEvents:
    """The events themselves, if their processes and regions are known."""
    for kind, values, known in (("process", events.process, processes), ("region", events.region, edges)):
        for value in Labels.of(values).present:
            if value not in known and not (kind == "region" and value == LOOSER):
                raise DataError(unknown_name(kind, value, known))
    return events
