"""`referee.json`: every check with its verdict, and which results they are of."""

import hashlib
from collections.abc import Sequence
from typing import Literal

from znought.facility.results.records import Record
from znought.facility.workspace import Workspace, read_json, write_json
from znought.plots.report import ReportTable
from znought.stats.referee.record import Check, Verdict, worst

__all__ = [
    "CheckRecord",
    "Verdicts",
    "marked",
    "read_verdicts",
    "referee_state",
    "standing_verdicts",
    "verdict_line",
    "verdict_table",
    "write_verdicts",
]

_SIGNS = {"pass": "pass", "warn": "WARN", "fail": "FAIL", "not applicable": "n/a"}


class CheckRecord(Record):
    """One check, as `znought.stats.referee.record.Check` describes it; infinite numbers are null."""

    name: str
    tested: str
    verdict: Verdict
    measured: str
    value: float | None = None
    limit: float | None = None
    advice: str = ""
    unseen: str = ""
    parts: dict[str, tuple[float | None, float | None]] = {}  # noqa: RUF012  # pydantic copies it


class Verdicts(Record):
    """What the referee says of one `results.json`.

    Attributes:
        verdict: the worst of all checks.
        thorough: with pseudo-experiments.
        results_sha256: of the results that were judged; others have no verdict yet.
        checks: in order.
    """

    verdict: Verdict
    thorough: bool
    results_sha256: str
    checks: tuple[CheckRecord, ...]

    def named(self, verdict: Verdict) -> list[str]:
        """Names of the checks of one verdict."""
        return [check.name for check in self.checks if check.verdict == verdict]


def write_verdicts(workspace: Workspace, checks: Sequence[Check], *, thorough: bool) -> Verdicts:
    """Writes `referee.json`, and gives what it holds."""
    found = Verdicts(
        verdict=worst(checks),
        thorough=thorough,
        results_sha256=_digest(workspace),
        checks=tuple(_record(check) for check in checks),
    )
    write_json(workspace.referee, found.model_dump(mode="json"))
    return found


def read_verdicts(workspace: Workspace) -> Verdicts:
    """Reads `referee.json`.

    Raises:
        DataError: it does not exist or is damaged.
    """
    return Verdicts.model_validate(read_json(workspace.referee))


def standing_verdicts(workspace: Workspace) -> Verdicts | None:
    """The verdicts of the results that are there now; None where they have not been judged."""
    if not (workspace.referee.is_file() and workspace.results.is_file()):
        return None
    found = read_verdicts(workspace)
    return found if found.results_sha256 == _digest(workspace) else None


def referee_state(found: Verdicts | None) -> Literal["pass", "warn", "fail", "open"]:
    """The worst verdict as a page shows it; "open" as long as nobody has judged."""
    if found is None or found.verdict == "not applicable":
        return "open"
    return found.verdict


def verdict_line(found: Verdicts | None) -> str:
    """One sentence for a page or a terminal."""
    if found is None:
        return "Referee: these results have not been judged; `znought referee` does."
    counts = [
        f"{len(found.named(verdict))} {word}" for verdict, word in _WORDS.items() if found.named(verdict)
    ]
    failed = found.named("fail")
    named = f" FAILED: {', '.join(failed)}." if failed else ""
    return f"Referee: {', '.join(counts)}.{named}"


def verdict_table(found: Verdicts) -> ReportTable:
    """Every check with its number, for the report and the terminal."""
    rows = tuple(
        (check.name, _SIGNS[check.verdict], check.measured, _limit(check), _advice(check))
        for check in found.checks
    )
    caption = "n/a: cannot be run on this analysis, with the reason. Limits are those at which a check fails."
    header = ("check", "verdict", "measured", "limit", "what to do, or cannot be seen")
    return ReportTable(f"Referee: {found.verdict}", header, rows, caption, is_prose=True, section="Referee")


def marked(label: str, found: Verdicts | None) -> str:
    """A label of tables and figures that says when the referee refuses what they show.

    >>> marked("Simulation", None)
    'Simulation'
    """
    return f"{label}, FAILS REFEREE" if found is not None and found.verdict == "fail" else label


_WORDS: dict[Verdict, str] = {
    "pass": "checks pass",
    "warn": "warn",
    "fail": "fail",
    "not applicable": "not applicable",
}


def _record(check: Check) -> CheckRecord:
    return CheckRecord(
        name=check.name,
        tested=check.tested,
        verdict=check.verdict,
        measured=check.measured,
        value=_finite(check.value),
        limit=_finite(check.limit),
        advice=check.advice,
        unseen=check.unseen,
        parts={name: (_finite(value), _finite(error)) for name, (value, error) in check.parts.items()},
    )


def _finite(value: float | None) -> float | None:
    return None if value is None or not abs(value) < float("inf") else float(value)


def _limit(check: CheckRecord) -> str:
    return "–" if check.limit is None else f"{check.limit:.3g}"


def _advice(check: CheckRecord) -> str:
    if check.verdict in ("warn", "fail"):
        return check.advice
    return f"Not seen: {check.unseen}" if check.unseen else "–"


def _digest(workspace: Workspace) -> str:
    return hashlib.sha256(workspace.results.read_bytes()).hexdigest()
