"""The numbers of an analysis, as `results.json` holds them and `run` returns them."""

from pathlib import Path

from pydantic import Field

from znought.facility.results.fitted import FitSummary
from znought.facility.results.opened import Prediction, Unblinding
from znought.facility.results.records import (
    ClassEvents,
    Estimate,
    OneDiscriminantResult,
    Record,
    SizedSignificance,
    read_record,
)
from znought.facility.workspace import write_json

__all__ = [
    "ClassEvents",
    "Results",
    "SignificanceResult",
    "SizedSignificance",
    "Yield",
    "read_results",
    "write_results",
]


class SignificanceResult(Record):
    """Expected discovery significance (Asimov, μ = 1) of one way of binning.

    Attributes:
        tuned: Z₀ on the very events that the edges were chosen on.
        held_out: Z₀ on events that had no say in the edges (cross-fitted), less its bias by the bootstrap.
        interval: 68 % interval of `held_out`: bootstrap over generated events, and over trainings.
        training_error: the part of training in it, in quadrature; 0 where nothing is trained, or once.
        mc_stat: held-out Z₀ with the error of finite simulated samples in every bin.
        correlated: held-out Z₀ with the background uncertainty common to all bins.
        auxiliary: model of the background uncertainty, "gaussian" or "poisson".
        z_per_bin: Z₀ of each of the final edges' bins, on all events.
        quadrature: Z₀ of the final edges on all events; its bins' uncertainties are uncorrelated.
        statistics_limited: the least populated bin has too few background events to be believed.
        min_background_events: effective background events of that bin.
    """

    tuned: float
    held_out: float
    interval: tuple[float, float]
    training_error: float = 0.0
    mc_stat: Estimate | None = None
    correlated: Estimate | None = None
    auxiliary: str
    z_per_bin: tuple[float, ...]
    quadrature: float
    statistics_limited: bool
    min_background_events: float


class Yield(Record):
    """Events per bin of one process, with the error from finite simulated samples."""

    events: tuple[float, ...]
    mc_stat_error: tuple[float, ...]


class Results(Record):
    """Everything that the closing tables, the figures and a notebook need.

    Attributes:
        energies_tev: centre-of-mass energy in TeV → its share of the luminosity.
        auc: area under the ROC curve of the network, per class (one against the rest) and "macro".
        auc_boosting: the same of the boosted trees trained on the same folds.
        auc_differences: network less trees, paired by generated event.
        auc_events: which events the areas are of.
        one_discriminant: "network" and "boosting" → whether test and out-of-fold events have the same.
        z0: by method ("cut_based", "mva_greedy", ...); none without a signal.
        z0_differences: selection → held-out Z₀ of the discriminant less that of the selection, paired by
            generated event.
        z0_by_size: held-out Z₀ on parts of the simulated sample: what more simulation gives.
        z_profile: held-out Z₀ with the background systematic common to all bins, bias-corrected like `z0`.
        published_z0: what others found with a selection, from the card.
        fit: with control regions, MC statistics and the systematics of the card, at the greedy edges.
        prediction: of all regions by a fit of the control regions alone; None without any.
        unblinding: what the steps showed in which data were shown; None for a blinded result.
        unblinding_log: digest of the last line of `unblinding.jsonl`; None as long as no data were shown.
        yields: method → process → bins.
        edges: method → bin edges.
        events: by process.
        regions: region → process → expected events after its cuts.
        selections: method → what tables call it.
        substitutes: dataset → input → what stands for it where the format lacks it.
        missing_uncertainties: what the card requires of a process and the fit does not have.
        notes: what a reader must know beside the numbers.
    """

    analysis: str
    title: str
    label: str
    lumi_ifb: float
    energies_tev: dict[float, float] = Field(default_factory=lambda: {13.0: 1.0})
    signal: str | None = None
    sigma_background: float
    auc: dict[str, Estimate] = Field(default_factory=dict)
    auc_boosting: dict[str, Estimate] = Field(default_factory=dict)
    auc_differences: dict[str, Estimate] = Field(default_factory=dict)
    auc_events: str = ""
    one_discriminant: dict[str, OneDiscriminantResult] = Field(default_factory=dict)
    z0: dict[str, SignificanceResult] = Field(default_factory=dict)
    z0_differences: dict[str, Estimate] = Field(default_factory=dict)
    z0_by_size: tuple[SizedSignificance, ...] = ()
    z_profile: dict[str, float] = Field(default_factory=dict)
    published_z0: dict[str, float] = Field(default_factory=dict)
    fit: FitSummary | None = None
    prediction: Prediction | None = None
    unblinding: Unblinding | None = None
    unblinding_log: str | None = None
    yields: dict[str, dict[str, Yield]] = Field(default_factory=dict)
    edges: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    events: dict[str, ClassEvents]
    regions: dict[str, dict[str, Yield]] = Field(default_factory=dict)
    selections: dict[str, str] = Field(default_factory=dict)
    substitutes: dict[str, dict[str, str]] = Field(default_factory=dict)
    missing_uncertainties: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        """The closing tables, as a notebook shows the record."""
        # They are made of this record.
        from znought.facility.results.summary import report_tables

        return "".join(table._repr_html_() for table in report_tables(self))


def write_results(path: Path, results: Results) -> None:
    """Writes `results.json`, whole or not at all."""
    write_json(path, results.model_dump(mode="json"))


def read_results(path: Path) -> Results:
    """Reads `results.json`.

    Raises:
        DataError: it does not exist or is damaged.
    """
    return read_record(path, Results)
