"""What the records of both analyses' results are made of."""

from pydantic import BaseModel, ConfigDict

__all__ = ["DiscriminantTest", "Estimate", "OneDiscriminantResult", "Record"]


class Record(BaseModel):
    """A part of `results.json`: no key that nobody knows, no change once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Estimate(Record):
    """A value with its 68 % bootstrap interval."""

    value: float
    interval: tuple[float, float]


class DiscriminantTest(Record):
    """χ² of test events against the others, one output among the events of one class.

    Attributes:
        process, output: the class, and whose output.
        chi2, n_dof, p_value: in bins between quantiles of both.
        above: quantile → share of test events above it less that of the others, and its error.
    """

    process: str
    output: str
    chi2: float
    n_dof: int
    p_value: float
    above: dict[str, tuple[float, float]]


class OneDiscriminantResult(Record):
    """Whether test events have the discriminant of out-of-fold events.

    Attributes:
        fisher, p_value: −2 Σ ln p of all tests, and its probability (see `znought.stats.one_discriminant`).
        tests: by class and output.
    """

    fisher: float
    p_value: float
    tests: tuple[DiscriminantTest, ...]
