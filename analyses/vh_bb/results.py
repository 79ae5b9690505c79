"""The numbers of VH(bb) in the SMEFT, as `results.json` holds them and `run` returns them."""

from pathlib import Path

from pydantic import Field

from znought.facility.results.explained import InputImportance
from znought.facility.results.fitted import FitSummary
from znought.facility.results.opened import Unblinding
from znought.facility.results.records import Estimate, OneDiscriminantResult, Record, read_record
from znought.facility.workspace import write_json

__all__ = [
    "Area",
    "BreakdownResult",
    "CalibrationResult",
    "ContourResult",
    "CoverageResult",
    "ImportanceResult",
    "IntervalResult",
    "LimitResults",
    "MeasuredResults",
    "ObservedResult",
    "ProjectionResult",
    "PublishedResult",
    "ScanResult",
    "SignificanceEntry",
    "SmeftResults",
    "Truncation",
    "YieldEntry",
    "read_measured",
    "read_smeft_results",
    "write_measured",
    "write_smeft_results",
]

FEWEST_GENERATED = 10
"""Simulated background events above a cut, below which its Z_A is marked."""
_SYMBOLS = {"c_hw": "c̄_HW", "c_hb": "c̄_HB"}
Segments = tuple[tuple[float, float], ...]


class YieldEntry(Record):
    """Expected events of one process in a channel and region, and the simulation behind them.

    Attributes:
        events: in the standard model.
        events_at: value of the coefficient → expected events, as text keys ("0.03").
        generated: distinct generated events.
        effective: (Σw)²/Σw² with the responses of one event as one.
    """

    channel: str
    region: str
    process: str
    events: float
    events_at: dict[str, float]
    generated: int
    effective: float


class Area(Record):
    """Area under the ROC curve of a value of the coefficient against the standard model.

    Attributes:
        with_backgrounds: whether V + heavy flavour and tt̄ stand in the background.
        area: with its 68 % bootstrap interval.
        less_trees: the area less that of the trees on the same events, paired; None for the trees.
        events: which events the area is of.
    """

    channel: str
    region: str
    model: str
    value: float
    with_backgrounds: bool
    area: Estimate
    less_trees: Estimate | None = None
    events: str = ""


class SignificanceEntry(Record):
    """Z_A of one channel, region, classifier and value, by one definition of signal.

    Attributes:
        signal_definition: "paper" counts the whole yield at c̄ ≠ 0, "excess" what exceeds the standard model.
        with_backgrounds: whether V + heavy flavour and tt̄ count.
        inclusive_z, inclusive_background: without any cut on the output.
        tuned_z: at the best cut, on the events that chose it.
        z: at cuts chosen on the other half of the events.
        background: expected events behind `z`.
        background_effective_entries: simulated entries that they rest on.
        generated_backgrounds: simulated events that are not VH above the best cut; None where they do not
            count.
    """

    channel: str
    region: str
    model: str
    value: float
    signal_definition: str
    with_backgrounds: bool
    inclusive_z: float
    inclusive_background: float
    tuned_z: float
    z: float
    background: float
    background_effective_entries: float
    generated_backgrounds: int | None

    @property
    def trustworthy(self) -> bool:
        """Whether backgrounds, where they count, are there to be counted above the cut."""
        return self.generated_backgrounds is None or self.generated_backgrounds >= FEWEST_GENERATED


class ProjectionResult(Record):
    """Z_A against luminosity at the cut that is best at the card's luminosity."""

    channel: str
    region: str
    model: str
    value: float
    signal_definition: str
    with_backgrounds: bool
    scaling: str
    luminosities_ifb: tuple[float, ...]
    z: tuple[float, ...]


class IntervalResult(Record):
    """Expected interval of the first coefficient, the others zero.

    Attributes:
        channel: or "combined".
        order: "quadratic", or "linear" without the squared term.
        method: "delta_2lnl" or "cls".
        scaling: of the systematics with luminosity, "fixed" or "inverse_sqrt".
        segments: allowed ranges.
        reaches_validity: an end is that of the morphing's validity.
    """

    channel: str
    region: str
    discriminant: str
    order: str
    method: str
    scaling: str
    lumi_ifb: float
    level: float
    segments: Segments
    reaches_validity: bool

    @property
    def half_width(self) -> float:
        """Half the distance between the outermost ends."""
        return 0.5 * (self.segments[-1][1] - self.segments[0][0])


class ObservedResult(Record):
    """Observed interval of the first coefficient, the others zero, at the luminosity of the data.

    Attributes:
        channel: or "combined".
        order, method: as of `IntervalResult`.
        lumi_ifb: of the data.
        best: value that the data prefer within the validity.
        segments, expected: allowed ranges of the data, and of the standard model's expectation in the same
            bins.
        reaches_validity: an end of the observed ranges is that of the morphing's validity.
    """

    channel: str
    region: str
    discriminant: str
    order: str
    method: str
    lumi_ifb: float
    level: float
    best: float
    segments: Segments
    expected: Segments
    reaches_validity: bool


class Truncation(Record):
    """Expected combined interval with c̄ switched off at and above a pT(V); None trusts all energies."""

    pt_v_max_gev: float | None
    discriminant: str
    segments: Segments
    reaches_validity: bool


class BreakdownResult(Record):
    """Expected combined interval under some of the systematics, at the card's luminosity.

    Attributes:
        systematics: "none"; "rates" of processes and MC statistics; "all", with variations of objects and
            weights, and luminosities of eras.
    """

    systematics: str
    discriminant: str
    segments: Segments
    reaches_validity: bool


class CoverageResult(Record):
    """How often intervals of a nominal level hold the truth, in toys."""

    truth: float
    level: float
    n_toys: int
    fraction: float
    interval68: tuple[float, float]


class CalibrationResult(Record):
    """Expected interval with thresholds from toys beside that of χ², at the card's luminosity.

    Attributes:
        asymptotic, calibrated: allowed ranges.
        coverage, calibrated_coverage: of the two, at some truths.
    """

    channel: str
    discriminant: str
    asymptotic: Segments
    calibrated: Segments
    coverage: tuple[CoverageResult, ...]
    calibrated_coverage: tuple[CoverageResult, ...]


class ContourResult(Record):
    """−2 Δln L over a grid of two coefficients, t[i][j] at (x[i], y[j])."""

    discriminant: str
    names: tuple[str, str]
    x: tuple[float, ...]
    y: tuple[float, ...]
    t: tuple[tuple[float, ...], ...]
    thresholds: dict[str, float]


class ScanResult(Record):
    """−2 Δln L of the combination against the first coefficient."""

    discriminant: str
    values: tuple[float, ...]
    delta_2lnl: tuple[float, ...]


class PublishedResult(Record):
    """Numbers of others, by the text of the coefficient's value ("0.03").

    Attributes:
        no_network: Z_A that their definition gives for their yields with no network at all.
    """

    source: str
    channel: str
    auc: dict[str, float]
    z_a: dict[str, float]
    no_network: dict[str, float]
    claim: float | None


class ImportanceResult(Record):
    """Loss of area under the ROC curve of a network when one of its inputs is shuffled, by input.

    Attributes:
        model: the network, `asimov_0.03`.
        inputs: input → mean and standard deviation over shuffles, events out of fold.
    """

    channel: str
    model: str
    inputs: dict[str, InputImportance]


class MeasuredResults(Record):
    """What `measure` hands on in `significance.json`; fields as of `SmeftResults`."""

    yields: tuple[YieldEntry, ...]
    one_discriminant: dict[str, OneDiscriminantResult] = Field(default_factory=dict)
    auc: tuple[Area, ...]
    significances: tuple[SignificanceEntry, ...]
    projections: tuple[ProjectionResult, ...]
    notes: tuple[str, ...] = ()


class LimitResults(Record):
    """What the tasks of the limits have found; fields as of `SmeftResults`."""

    intervals: tuple[IntervalResult, ...]
    scans: tuple[ScanResult, ...]
    truncations: tuple[Truncation, ...]
    calibrations: tuple[CalibrationResult, ...]
    breakdown: tuple[BreakdownResult, ...]
    contour: ContourResult | None
    observed: tuple[ObservedResult, ...]
    observed_scans: tuple[ScanResult, ...]
    notes: tuple[str, ...]


class SmeftResults(Record):
    """Everything that the closing tables, the figures and a notebook need.

    Attributes:
        energies_tev: centre-of-mass energy in TeV → its share of the luminosity.
        coefficient: whose values these are.
        main_region: the one that networks learn from.
        sigma_background: relative uncertainty of the background in every Z_A.
        published: what others quote, as theirs.
        breakdown: what the systematics do to the combined interval.
        fit: of the standard model's VH, in the bins of the limits.
        one_discriminant: channel → whether test and out-of-fold events have one discriminant; channels in
            which enough events tell.
        importance: of the inputs of some networks, by channel.
        observed: intervals of the data; none as long as these are blinded.
        observed_scans: −2 Δln L of the data, channels combined.
        unblinding: what the data showed where they were unblinded.
        unblinding_log: digest of the last line of `unblinding.jsonl`; None as long as no data were shown.
        notes: what a reader must know beside the numbers.
    """

    analysis: str
    title: str
    label: str
    lumi_ifb: float
    energies_tev: dict[float, float] = Field(default_factory=lambda: {13.0: 1.0})
    coefficient: str
    channels: tuple[str, ...]
    regions: tuple[str, ...]
    main_region: str
    sigma_background: float
    min_background: float
    published: PublishedResult | None = None
    yields: tuple[YieldEntry, ...]
    auc: tuple[Area, ...]
    one_discriminant: dict[str, OneDiscriminantResult] = Field(default_factory=dict)
    significances: tuple[SignificanceEntry, ...]
    projections: tuple[ProjectionResult, ...]
    intervals: tuple[IntervalResult, ...]
    truncations: tuple[Truncation, ...]
    calibrations: tuple[CalibrationResult, ...]
    scans: tuple[ScanResult, ...]
    contour: ContourResult | None = None
    breakdown: tuple[BreakdownResult, ...] = ()
    fit: FitSummary | None = None
    substitutes: dict[str, dict[str, str]] = Field(default_factory=dict)
    importance: tuple[ImportanceResult, ...] = ()
    observed: tuple[ObservedResult, ...] = ()
    observed_scans: tuple[ScanResult, ...] = ()
    unblinding: Unblinding | None = None
    unblinding_log: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def symbol(self) -> str:
        """The coefficient as text writes it."""
        return _SYMBOLS.get(self.coefficient, self.coefficient)


def write_measured(path: Path, found: MeasuredResults) -> None:
    """Writes `significance.json`."""
    write_json(path, found.model_dump(mode="json"))


def read_measured(path: Path) -> MeasuredResults:
    """Reads `significance.json`.

    Raises:
        DataError: it does not exist, or is of another version.
    """
    return read_record(path, MeasuredResults)


def write_smeft_results(path: Path, results: SmeftResults) -> None:
    """Writes `results.json`."""
    write_json(path, results.model_dump(mode="json"))


def read_smeft_results(path: Path) -> SmeftResults:
    """Reads `results.json`.

    Raises:
        DataError: it does not exist, or is of another version.
    """
    return read_record(path, SmeftResults)
