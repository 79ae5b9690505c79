"""`znought fit` for those who come with a likelihood: a text card, a pyhf workspace or templates."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from znought.errors import DataError
from znought.facility.progress import Reporter
from znought.facility.results.fitted import ByToys
from znought.facility.results.records import Record
from znought.facility.workspace import Workspace, write_json
from znought.plots.report import ReportTable
from znought.stats.exchange import write_workspace
from znought.stats.fit_report import FitReport, full_fit
from znought.stats.formats.card_writer import write_card
from znought.stats.formats.likelihood import Likelihood
from znought.stats.formats.pyhf_json import to_spec
from znought.stats.formats.reading import read_likelihood
from znought.stats.hs3 import write_hs3
from znought.stats.inference import DataKind
from znought.stats.spec import Spec, asimov_channels, entries

__all__ = ["FileFit", "LikelihoodResults", "fit_file", "likelihood_tables"]

_SHOWN = 15


class LikelihoodResults(Record):
    """What a fit of somebody's likelihood gives, as `results.json` holds it.

    Attributes:
        source: the file.
        title: name of the measurement.
        data: "expected" (Asimov, signal as predicted) or "observed".
        poi: name of the parameter of interest.
        value, interval: of it, with the 68 % profile-likelihood interval.
        z0: significance against no signal; None where a bin expects no background.
        limit_expected: 95 % CLs upper limits without signal, at −2 … +2 standard deviations; None for a
            signal of more than 5 standard deviations.
        limit_observed: the same for the data, when they are shown.
        impacts: systematic → shift of the parameter of interest for its down and up side, largest first.
        groups: group of parameters → what it adds to the error, in quadrature; the card's own, if any.
        pulls: parameter → fitted value, error and pull (None for a free one).
        goodness: −2 ln of the likelihood ratio to the saturated model, degrees of freedom and p-value; None
            for an expectation, which fits perfectly.
        toys: the same and the significance by pseudo-experiments; None where none were asked for.
        remarks: what was read, fitted or written in another meaning than its author's.
    """

    source: str
    title: str
    data: DataKind
    poi: str
    value: float
    interval: tuple[float, float]
    z0: float | None
    limit_expected: tuple[float, float, float, float, float] | None = None
    limit_observed: float | None = None
    impacts: dict[str, tuple[float, float]]
    groups: dict[str, tuple[float, float]] = Field(default_factory=dict)
    pulls: dict[str, tuple[float, float, float | None]]
    goodness: tuple[float, int, float] | None = None
    toys: ByToys | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileFit:
    """How a file's likelihood is fitted.

    Attributes:
        unblind: to the observations; else to the expectation with the signal as predicted.
        mass: what $MASS stands for in a text card.
        impacts: two more fits per systematic.
        n_toys: pseudo-experiments for the significance and, of observations, the goodness of fit.
    """

    unblind: bool = False
    mass: float | None = None
    impacts: bool = True
    n_toys: int = 0


def fit_file(path: Path, workspace: Workspace, reporter: Reporter, options: FileFit) -> LikelihoodResults:
    """The fit of a file's likelihood, written to `results.json`.

    Beside it, in `fit/`: the likelihood in other formats, and `yields.json` with every region's expected
    events before and after the fit, with correlated errors.

    Args:
        path: a text card, a pyhf workspace or a description of templates.
        workspace: what is made goes there.
        reporter: told how far it is.
        options: what is fitted.

    Raises:
        CardError, DataError: a file that cannot be read, a fit that does not converge, or observations
            asked for where there are none.
    """
    likelihood = read_likelihood(path, mass=options.mass)
    spec = to_spec(likelihood)
    asimov = asimov_channels(spec)
    if options.unblind and asimov:
        raise DataError(f"{path} holds no recorded data for {', '.join(asimov)}; fit it without --unblind.")
    remarks = [*likelihood.remarks, *_export(workspace.fit, likelihood, spec)]
    with reporter.bar("fitting") as advance:
        advance(0, 1, likelihood.poi)
        kind: DataKind = "observed" if options.unblind else "expected"
        report = full_fit(
            spec, data=kind, groups=_groups(likelihood, spec), ranked=options.impacts, n_toys=options.n_toys
        )
        advance(1, 1, "")
    results = _fitted(path, likelihood, report)
    results = results.model_copy(update={"remarks": (*remarks, *results.remarks)})
    yields = {"before": report.before, "after": report.after}
    write_json(
        workspace.fit / "yields.json",
        {stage: [region.to_dict() for region in regions] for stage, regions in yields.items()},
    )
    write_json(workspace.fit / "report.json", report.to_dict())
    write_json(workspace.results, results.model_dump(mode="json"))
    return results


def _export(folder: Path, likelihood: Likelihood, spec: Spec) -> Iterator[str]:
    """Writes the likelihood for other programs; what a format cannot hold is a remark."""
    folder.mkdir(parents=True, exist_ok=True)
    write_workspace(folder / "workspace.json", spec)
    for name in ("hs3.json", "datacard.txt"):
        # A file of an earlier fit says nothing about this one.
        (folder / name).unlink(missing_ok=True)
    try:
        write_hs3(folder / "hs3.json", spec)
    except DataError as error:
        yield f"No HS3: {error}"
    try:
        yield from write_card(folder / "datacard.txt", likelihood)
    except DataError as error:
        yield f"No text card: {error}"


def _fitted(path: Path, likelihood: Likelihood, report: FitReport) -> LikelihoodResults:
    found, limit, goodness = report.result, report.limit, report.goodness
    return LikelihoodResults(
        source=path.name,
        title=likelihood.title,
        data=found.data,
        poi=likelihood.poi,
        value=found.mu,
        interval=(found.mu_low, found.mu_high),
        z0=found.z0,
        limit_expected=None if limit is None else limit.expected,
        limit_observed=None if limit is None or found.data == "expected" else limit.observed,
        impacts={impact.name: (impact.down, impact.up) for impact in report.impacts},
        groups={group.group: (group.down, group.up) for group in report.groups},
        pulls={p.name: (p.value, p.error, p.pull) for p in found.parameters},
        goodness=None if goodness is None else (goodness.value, goodness.n_dof, goodness.p_value),
        toys=ByToys.of(report),
        remarks=(*found.warnings, *report.remarks),
    )


def _groups(likelihood: Likelihood, spec: Spec) -> dict[str, list[str]] | None:
    """The card's groups, as far as their members act on anything; else the usual ones."""
    known = {
        modifier["name"]
        for channel in entries(spec, "channels")
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
    }
    members = {name: [m for m in named if m in known] for name, named in likelihood.groups.items()}
    return {name: named for name, named in members.items() if named} or None


def likelihood_tables(results: LikelihoodResults) -> tuple[ReportTable, ...]:
    """The result, and the systematics by impact, for a terminal."""
    low, high = results.interval
    rows = [
        (results.poi, f"{results.value:.4g}  [{low:.4g}, {high:.4g}]"),
        ("Z₀", "not defined" if results.z0 is None else f"{results.z0:.3g}"),
    ]
    if results.goodness is not None:
        value, n_dof, p_value = results.goodness
        rows.append(
            ("goodness of fit (saturated)", f"{value:.1f}, {n_dof} degrees of freedom, p = {p_value:.2g}")
        )
    if results.toys is not None:
        rows += results.toys.rows()
    if results.limit_observed is not None:
        rows.append(("95 % CLs limit, observed", f"{results.limit_observed:.4g}"))
    if results.limit_expected is not None:
        names = ("−2σ", "−1σ", "median", "+1σ", "+2σ")
        limits = zip(names, results.limit_expected, strict=True)
        rows += [(f"95 % CLs limit, expected {name}", f"{value:.4g}") for name, value in limits]
    first = ReportTable(f"{results.title}: {results.data}", ("", ""), tuple(rows), "\n".join(results.remarks))
    return (first, *_impact_table(results))


def _impact_table(results: LikelihoodResults) -> Iterator[ReportTable]:
    if not results.impacts:
        return
    shown = list(results.impacts.items())[:_SHOWN]
    rows = []
    for name, (down, up) in shown:
        value, error, _ = results.pulls[name]
        rows.append((name, f"{value:+.2f} ± {error:.2f}", f"{down:+.3g}", f"{up:+.3g}"))
    left = len(results.impacts) - len(shown)
    caption = f"{left} more in results.json." if left else ""
    header = ("systematic", "fitted", f"Δ{results.poi} down", f"Δ{results.poi} up")
    yield ReportTable("Impacts", header, tuple(rows), caption)
