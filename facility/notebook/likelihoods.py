"""A likelihood from own histograms, and its fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from znought.errors import DataError
from znought.plots.fit import NuisanceImpact, ranking
from znought.plots.histograms import binned
from znought.plots.postfit import RegionBins, region_summary
from znought.plots.report import ReportTable
from znought.plots.style import FigureLabel
from znought.stats import inference
from znought.stats.exchange import write_workspace
from znought.stats.inference import DataKind, FitResult, Impact, fit_workspace
from znought.stats.systematics import SystematicConfig
from znought.stats.templates import RegionTemplates, filled_up
from znought.stats.workspace import NormConfig, Spec, WorkspaceConfig, prepared_workspace
from znought.stats.yields import Yields

__all__ = ["Likelihood", "MuFit", "fit", "workspace"]

Hists = Mapping[str, Any]
"""Process → `hist.Hist` of one axis."""


@dataclass(frozen=True, repr=False)
class Likelihood:
    """A pyhf workspace with the templates that it is made of, a table in a notebook.

    Attributes:
        spec: the workspace.
        regions: templates.
        signal: process that μ scales.
        remarks: what was left out, and why.
    """

    spec: Spec
    regions: tuple[RegionTemplates, ...]
    signal: str
    remarks: tuple[str, ...] = ()

    @property
    def table(self) -> ReportTable:
        """Expected events by process and region, with the error of the simulated sample, and data."""
        names = list(dict.fromkeys(name for region in self.regions for name in region.nominal.processes))
        rows = [(name, *(_cell(region, name) for region in self.regions)) for name in names]
        data = ["" if region.observed is None else f"{region.observed.sum():,.0f}" for region in self.regions]
        header = ("process", *(region.name for region in self.regions))
        caption = " ".join(("Errors of the simulated sample.", *self.remarks))
        return ReportTable("Likelihood", header, (*rows, ("data", *data)), caption)

    def __repr__(self) -> str:
        return str(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()

    def save(self, path: Path | str) -> None:
        """Writes the workspace as pyhf reads it."""
        write_workspace(Path(path), self.spec)

    def plot(self, *, label: FigureLabel | None = None) -> Figure:
        """All bins of all regions before the fit, with data where there are some.

        Args:
            label: what stands above the frame; "Simulation" unless given.
        """
        bins = [
            RegionBins(
                region.name,
                dict(zip(region.nominal.processes, region.nominal.sumw, strict=True)),
                np.sqrt(region.nominal.sumw2.sum(axis=0)),
                region.observed,
            )
            for region in self.regions
        ]
        return region_summary(bins, label=label or FigureLabel(), signal=self.signal, stage="Before the fit")


@dataclass(frozen=True, repr=False)
class MuFit:
    """What a fit found, a table in a notebook.

    Attributes:
        result: μ, its interval, Z₀ and every parameter.
        impacts: of the systematics on μ, the largest first.
    """

    result: FitResult
    impacts: tuple[Impact, ...]

    @property
    def mu(self) -> float:
        """Signal strength."""
        return self.result.mu

    @property
    def z0(self) -> float | None:
        """Discovery significance; None where a bin expects no background."""
        return self.result.z0

    @property
    def table(self) -> ReportTable:
        """μ, Z₀ and the systematics by impact."""
        found = self.result
        z0 = "–" if found.z0 is None else f"{found.z0:.3f}"
        rows = [("μ", f"{found.mu:.4f}", f"[{found.mu_low:.4f}, {found.mu_high:.4f}]"), ("Z₀", z0, "")]
        for impact in self.impacts:
            one = found.parameter(impact.name)
            shift = f"{impact.down:+.4f}, {impact.up:+.4f} on μ"
            rows.append((impact.name, f"{one.value:.3f} ± {one.error:.3f}", shift))
        title = f"Fit of {found.data} data"
        return ReportTable(title, ("parameter", "value", "68 %"), tuple(rows), " ".join(found.warnings))

    def __repr__(self) -> str:
        return str(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()

    def plot(self, *, label: FigureLabel | None = None) -> Figure:
        """Pulls, and impacts on μ.

        Args:
            label: what stands above the frame; "Simulation" unless given.

        Raises:
            DataError: no systematic.
        """
        entries = []
        for impact in self.impacts:
            one = self.result.parameter(impact.name)
            width = (one.error, one.error)
            entries.append(NuisanceImpact(one.name, one.pull or 0.0, width, (impact.down, impact.up)))
        return ranking(entries, label=label or FigureLabel())


def workspace(
    regions: Mapping[str, Hists],
    *,
    signal: str,
    data: Hists | None = None,
    variations: Mapping[str, Mapping[str, Hists]] | None = None,
    norms: Mapping[str, tuple[str | Sequence[str], float]] | None = None,
    luminosity_rel: float = 0.0,
) -> Likelihood:
    """A likelihood of own histograms; Asimov data where none are given.

    Args:
        regions: region → process → `hist.Hist` of one axis, filled with weights into `Weight` storage.
        signal: process that μ scales.
        data: region → `hist.Hist` of counts.
        variations: such as `jes_up` and `jes_down` → region → process → `hist.Hist`; one that is not there
            is as the nominal one, and one direction alone is mirrored.
        norms: name → (process or processes, relative uncertainty of their yield).
        luminosity_rel: relative uncertainty of every yield.

    Raises:
        CardError: an unknown process.
        DataError: histograms of other edges, without variances, or of more than one axis.

    >>> from hist import Hist
    >>> signal, background = (Hist.new.Reg(2, 0, 1, name="x").Weight() for _ in range(2))
    >>> _ = signal.fill([0.8] * 9), background.fill([0.2] * 90 + [0.8] * 10)
    >>> found = fit(workspace({"SR": {"signal": signal, "background": background}}, signal="signal"))
    >>> round(found.mu, 3), round(found.z0, 2)
    (1.0, 1.69)
    """
    given = dict(variations or {})
    templates = tuple(_templates(name, hists, given, data or {}) for name, hists in regions.items())
    config = WorkspaceConfig(
        signal=(signal,),
        luminosity_rel=luminosity_rel,
        norms={name: NormConfig(_names(of), relative) for name, (of, relative) in (norms or {}).items()},
        systematics=_systematics(list(given)),
    )
    prepared = prepared_workspace(templates, config)
    remarks = (*prepared.remarks, *(pruned.text for pruned in prepared.pruned))
    return Likelihood(prepared.spec, templates, signal, remarks)


def fit(likelihood: Likelihood, *, data: DataKind | None = None) -> MuFit:
    """μ with interval, Z₀ and impacts: observed where the likelihood has data in every region.

    Args:
        likelihood: of `workspace`.
        data: "expected" or "observed" instead.

    Raises:
        DataError: a fit that did not converge.
    """
    has_data = all(region.observed is not None for region in likelihood.regions)
    kind: DataKind = data or ("observed" if has_data else "expected")
    found = fit_workspace(likelihood.spec, data=kind)
    return MuFit(found, inference.ranking(likelihood.spec, data=kind))


def _names(of: str | Sequence[str]) -> tuple[str, ...]:
    return (of,) if isinstance(of, str) else tuple(of)


def _cell(region: RegionTemplates, process: str) -> str:
    """Yield of one process in one region."""
    if process not in region.nominal.processes:
        return ""
    sumw, sumw2 = region.nominal.total([process])
    return f"{sumw.sum():,.2f} ± {np.sqrt(sumw2.sum()):,.2f}"


def _systematics(variations: Sequence[str]) -> dict[str, SystematicConfig]:
    """Name → kind, by the directions that there are.

    Raises:
        DataError: a name that ends in neither `_up` nor `_down`.
    """
    ways: dict[str, list[str]] = {}
    for variation in variations:
        name, _, way = variation.rpartition("_")
        if way not in ("up", "down") or not name:
            raise DataError(f"variations: expected names as jes_up and jes_down. Received: {variation!r}.")
        ways.setdefault(name, []).append(way)
    return {name: _config(found) for name, found in ways.items()}


def _config(ways: Sequence[str]) -> SystematicConfig:
    if len(ways) == 2:
        return SystematicConfig(smoothing="none")
    return SystematicConfig(kind="one_sided", side="up" if ways == ["up"] else "down", smoothing="none")


def _templates(
    name: str, hists: Hists, variations: Mapping[str, Mapping[str, Hists]], data: Hists
) -> RegionTemplates:
    """Nominal and varied templates of one region, and its counts."""
    nominal = _yields(name, hists)
    varied = {
        variation: _yields(f"{name}, {variation}", {**hists, **found.get(name, {})})
        for variation, found in variations.items()
    }
    observed: NDArray[np.float64] | None = None
    if name in data:
        counts = binned(f"data of {name}", data[name])
        if not np.array_equal(counts.edges, nominal.edges):
            raise DataError(f"data of {name}: expected the edges of the processes.")
        observed = counts.sumw
    return filled_up(RegionTemplates(name, nominal, varied, observed))[0]


def _yields(where: str, hists: Hists) -> Yields:
    """All processes of one region in the same bins.

    Raises:
        DataError: no process, or other edges.
    """
    found = {process: binned(f"{process} in {where}", histogram) for process, histogram in hists.items()}
    if not found:
        raise DataError(f"{where}: expected a histogram per process. Received none.")
    edges = next(iter(found.values())).edges
    for process, one in found.items():
        if not np.array_equal(one.edges, edges):
            raise DataError(f"{process} in {where}: expected the edges of {next(iter(found))}.")
    sumw, sumw2 = (np.stack([getattr(one, name) for one in found.values()]) for name in ("sumw", "sumw2"))
    effective = np.divide(sumw**2, sumw2, out=np.zeros_like(sumw), where=sumw2 > 0)
    return Yields(tuple(found), edges, sumw, sumw2, np.rint(effective).astype(np.int64))
