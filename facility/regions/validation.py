"""Data against simulation of every binned variable, as `validation.json` holds it."""

from pathlib import Path

from znought.facility.results.records import Record, read_record
from znought.facility.workspace import Workspace, write_json
from znought.processors.evaluated import WHOLE

__all__ = [
    "Correlated",
    "InputComparison",
    "Validation",
    "read_validation",
    "summarised",
    "validation_file",
    "write_validation",
]

Vector = tuple[float, ...]


class InputComparison(Record):
    """One input in data and simulation; the last bin holds everything beyond its lower edge.

    Attributes:
        edges: bin edges; the first bins hold events for which the variable is not defined.
        data: counts per bin.
        processes: process → (Σw, Σw² with the responses of one event as one) per bin, at the luminosity of
            the data.
        systematic: absolute uncertainty of the sum per bin, from all systematics together.
        chi2, n_dof, p_value: with bins correlated by systematics and repeated responses.
        ks_distance, ks_p_value: Kolmogorov–Smirnov of the shapes, statistical errors alone.
        blinded: bins in the window of the blinded region's cut, where a part of the events is left out.
        also: variables that it is under a second name.
    """

    edges: Vector
    data: Vector
    processes: dict[str, tuple[Vector, Vector]]
    systematic: Vector
    chi2: float
    n_dof: int
    p_value: float
    ks_distance: float
    ks_p_value: float
    blinded: tuple[bool, ...] = ()
    also: tuple[str, ...] = ()


class Correlated(Record):
    """Linear correlations of the inputs in simulation and data.

    Attributes:
        inputs: names of rows and columns.
        simulation, data: coefficients.
        error: statistical error of simulation − data.
        largest: the two inputs whose |difference| is largest, with simulation − data and its error.
    """

    inputs: tuple[str, ...]
    simulation: tuple[Vector, ...]
    data: tuple[Vector, ...]
    error: tuple[Vector, ...]
    largest: tuple[str, str, float, float]


class Validation(Record):
    """Data against simulation, as `validation.json` holds it.

    Attributes:
        where: the events compared, in words.
        comparison: "shape" (the χ² leaves the normalisation free) or "absolute".
        lumi_ifb: luminosity of the data that were read.
        events: selected data events, and what the simulation expects.
        ratio: data/simulation with its error.
        systematics: what the band is made of.
        findings: limits of the card that are broken, one line each.
        suspects: inputs that they name.
    """

    where: str
    comparison: str
    lumi_ifb: float
    events: tuple[int, float]
    ratio: tuple[float, float]
    systematics: tuple[str, ...]
    inputs: dict[str, InputComparison]
    correlations: Correlated
    findings: tuple[str, ...]
    suspects: tuple[str, ...]


def validation_file(workspace: Workspace, channel: str = WHOLE) -> Path:
    """Where the comparison of a channel stands."""
    return workspace.validation.with_stem(f"validation_{channel}") if channel else workspace.validation


def write_validation(path: Path, found: Validation) -> None:
    """Writes a comparison."""
    write_json(path, found.model_dump(mode="json"))


def read_validation(workspace: Workspace, channel: str = WHOLE) -> Validation | None:
    """The comparison of an earlier stage; None if there was nothing to compare."""
    path = validation_file(workspace, channel)
    return read_record(path, Validation) if path.exists() else None


def summarised(found: Validation) -> str:
    """The comparison in one sentence, and what breaks a limit."""
    worst = min(found.inputs, key=lambda name: found.inputs[name].p_value)
    one, other, difference, error = found.correlations.largest
    sentence = (
        f"Validation {found.where}, {found.events[0]:,} data events at {found.lumi_ifb:.4g} fb⁻¹: "
        f"data/simulation {found.ratio[0]:.3f} ± {found.ratio[1]:.3f}; least probable input {worst} "
        f"(p = {found.inputs[worst].p_value:.2g}); largest difference of correlations {difference:+.3f} ± "
        f"{error:.3f} ({one}, {other})."
    )
    return " ".join([sentence, *(f"Beyond the card's limit: {text}." for text in found.findings)])
