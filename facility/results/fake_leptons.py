"""What the stage `fake_leptons` has measured."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from znought.facility.results.records import Record, read_record
from znought.facility.workspace import write_text
from znought.stats.fake_factors import Closure

__all__ = ["FactorBin", "FakeLeptonsResult", "YieldComparison", "read_fake_leptons", "write_fake_leptons"]

Vector = tuple[float, ...]


class FactorBin(Record):
    """One bin of the fake factor.

    Attributes:
        name: as parameters of the fit call it.
        where: flavour, |η| and pT, in words.
        tight, loose: leptons in the region of the measurement.
        prompt_tight, prompt_loose: of them, simulated prompt ones.
        value, error: of the factor, the error from the numbers of leptons.
    """

    name: str
    where: str
    tight: float
    loose: float
    prompt_tight: float
    prompt_loose: float
    value: float
    error: float


class YieldComparison(Record):
    """What the method finds beside what there is, in bins of the softest lepton's pT.

    Attributes:
        predicted, observed: yields.
        ratio, ratio_error: of all observed to all predicted.
        chi2, n_dof, p_value: with the errors of the factors in common to all bins.
    """

    predicted: Vector
    observed: Vector
    ratio: float
    ratio_error: float
    chi2: float
    n_dof: int
    p_value: float

    @classmethod
    def of(cls, found: Closure) -> "YieldComparison":
        """The record of a closure."""
        return cls(
            predicted=tuple(found.predicted.tolist()),
            observed=tuple(found.observed.tolist()),
            ratio=found.ratio,
            ratio_error=found.ratio_error,
            chi2=found.chi2,
            n_dof=found.n_dof,
            p_value=found.p_value,
        )


class FakeLeptonsResult(Record):
    """Fake factors and how well they do.

    Attributes:
        source: whether the estimate is made of data, or is the simulation's own.
        bins: of the factor; none where the simulation stands for it.
        composition: relative uncertainty of the estimate for other kinds of misidentified leptons.
        closure: in simulation, of all its events outside the region of the measurement.
        validation: region → simulation and estimate together, beside data.
        notes: what a reader must know, one line each.
    """

    source: Literal["data", "simulation"]
    bins: tuple[FactorBin, ...] = ()
    composition: float = 0.0
    closure: YieldComparison | None = None
    validation: dict[str, YieldComparison] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


def write_fake_leptons(path: Path, found: FakeLeptonsResult) -> None:
    """Writes `fake_leptons.json`."""
    write_text(path, found.model_dump_json(indent=1) + "\n")


def read_fake_leptons(path: Path) -> FakeLeptonsResult:
    """What the stage has written.

    Raises:
        DataError: it does not exist, or is of another version.
    """
    return read_record(path, FakeLeptonsResult)
