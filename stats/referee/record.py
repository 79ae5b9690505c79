"""What every check of a finished analysis says, and how a number becomes a verdict."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from znought.errors import DataError, unknown_name

__all__ = ["Check", "Verdict", "above", "below", "not_applicable", "worst"]

Verdict = Literal["pass", "warn", "fail", "not applicable"]
Parts = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: of the check.
        tested: what was compared with what.
        verdict: "pass", "warn", "fail", or "not applicable" with the reason in `measured`.
        measured: the number with its unit and where it was found.
        value, limit: the number and the one at which the check fails; None where it could not be run.
        advice: what to do where it does not pass.
        unseen: sizes of the mistake that it cannot see; empty where it sees any.
        parts: what the number is made of, by process, bin or parameter: value and error.
    """

    name: str
    tested: str
    verdict: Verdict
    measured: str
    value: float | None = None
    limit: float | None = None
    advice: str = ""
    unseen: str = ""
    parts: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.verdict not in get_args(Verdict):
            raise DataError(unknown_name("verdict", self.verdict, get_args(Verdict)))
        if self.verdict == "not applicable" and not self.measured:
            raise DataError(f"{self.name}: a check that is not applicable must say why.")


def above(value: float, *, warn: float, fail: float) -> Verdict:
    """Verdict of a number that should be small; a number that is none fails.

    >>> above(0.1, warn=0.3, fail=1.0), above(0.5, warn=0.3, fail=1.0), above(float("nan"), warn=1, fail=1)
    ('pass', 'warn', 'fail')
    """
    if not value <= fail:
        return "fail"
    return "warn" if value > warn else "pass"


def below(value: float, *, warn: float, fail: float) -> Verdict:
    """Verdict of a number that should be large.

    >>> below(20, warn=10, fail=3), below(8, warn=10, fail=3), below(2, warn=10, fail=3)
    ('pass', 'warn', 'fail')
    """
    if not value > fail:
        return "fail"
    return "warn" if value < warn else "pass"


def not_applicable(name: str, tested: str, reason: str) -> Check:
    """A check that cannot be run on this analysis, with the reason."""
    return Check(name, tested, "not applicable", reason)


def worst(checks: Iterable[Check]) -> Verdict:
    """The verdict of all together; those that are not applicable do not count.

    >>> worst([Check("a", "", "pass", "1"), Check("b", "", "warn", "2"), not_applicable("c", "", "no fit")])
    'warn'
    """
    found = {check.verdict for check in checks}
    for verdict in ("fail", "warn", "pass"):
        if verdict in found:
            return verdict
    return "not applicable"
