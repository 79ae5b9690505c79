"""Cutflow: raw events, Σw and Σw² after each cut, the same to the last digit for any chunking."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10, sqrt

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.exact import ExactSum, exact_sums

__all__ = ["Cutflow", "table_csv", "table_latex"]


@dataclass(frozen=True)
class Cutflow:
    """Events that survive each cut, in order.

    Attributes:
        names: one name per cut; the first stands for every event read.
        counts: raw events after each cut.
        sumw: exact sum of weights after each cut.
        sumw2: exact sum of squared weights after each cut.
    """

    names: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    sumw: tuple[ExactSum, ...] = ()
    sumw2: tuple[ExactSum, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.counts) == len(self.sumw) == len(self.sumw2):
            message = f"A cutflow needs one count, sumw and sumw2 per name; received names {self.names}."
            raise DataError(message)

    @classmethod
    def filled(
        cls, names: Sequence[str], passed: NDArray[np.integer], weight: NDArray[np.float64]
    ) -> "Cutflow":
        """Cutflow of events from the number of consecutive cuts that each one passed.

        Args:
            names: the cuts, in order; the first is passed by every event.
            passed: how many of them each event passed before it failed one, shape (n_events,).
            weight: weight of each event, shape (n_events,).

        >>> flow = Cutflow.filled(["all", "two_jets"], np.array([1, 2, 2]), np.array([1.0, 0.5, -0.25]))
        >>> flow.counts, [float(total) for total in flow.sumw]
        ((3, 2), [1.25, 0.25])
        """
        n_cuts = len(names)
        last = np.asarray(passed, np.int64)
        counts = np.bincount(last, minlength=n_cuts + 1)
        sumw = exact_sums(weight, last, n_cuts + 1)
        sumw2 = exact_sums(weight * weight, last, n_cuts + 1)
        return cls(
            tuple(names),
            tuple(int(n) for n in counts[::-1].cumsum()[::-1][1:]),
            _surviving(sumw),
            _surviving(sumw2),
        )

    @classmethod
    def empty(cls, names: Sequence[str]) -> "Cutflow":
        """Cutflow of no events."""
        return cls(tuple(names), (0,) * len(names), (ExactSum(),) * len(names), (ExactSum(),) * len(names))

    def __add__(self, other: "Cutflow") -> "Cutflow":
        if not other.names:
            return self
        if not self.names:
            return other
        if self.names != other.names:
            message = f"Cutflows of different cuts cannot be added: {self.names} and {other.names}."
            raise DataError(message)
        return Cutflow(
            self.names,
            tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)),
            tuple(a + b for a, b in zip(self.sumw, other.sumw, strict=True)),
            tuple(a + b for a, b in zip(self.sumw2, other.sumw2, strict=True)),
        )

    def __sub__(self, other: "Cutflow") -> "Cutflow":
        return Cutflow(
            self.names,
            tuple(a - b for a, b in zip(self.counts, other.counts, strict=True)),
            tuple(a - b for a, b in zip(self.sumw, other.sumw, strict=True)),
            tuple(a - b for a, b in zip(self.sumw2, other.sumw2, strict=True)),
        )

    def moved(
        self, before: NDArray[np.integer], after: NDArray[np.integer], weight: NDArray[np.float64]
    ) -> "Cutflow":
        """This cutflow after some events passed more or fewer cuts: exact, and only they are summed.

        Args:
            before, after: consecutive cuts passed by every event, shape (n_events,).
            weight: weight of every event, shape (n_events,).
        """
        changed = np.flatnonzero(before != after)
        lost = Cutflow.filled(self.names, before[changed], weight[changed])
        return self + Cutflow.filled(self.names, after[changed], weight[changed]) - lost

    def then(self, name: str, weight: NDArray[np.float64]) -> "Cutflow":
        """This cutflow with one more entry: the events whose weights are given."""
        (sumw,) = exact_sums(weight, np.zeros(len(weight), np.int64), 1)
        (sumw2,) = exact_sums(weight * weight, np.zeros(len(weight), np.int64), 1)
        return Cutflow(
            (*self.names, name), (*self.counts, len(weight)), (*self.sumw, sumw), (*self.sumw2, sumw2)
        )

    def behind(self, first: "Cutflow") -> "Cutflow":
        """This cutflow behind another one, whose last row holds all events of this one's first row."""
        if both := set(first.names) & set(self.names[1:]):
            message = f"Row {min(both)!r} of the cutflow is made by znought; give it another name."
            raise DataError(message)
        return Cutflow(
            (*first.names, *self.names[1:]),
            (*first.counts, *self.counts[1:]),
            (*first.sumw, *self.sumw[1:]),
            (*first.sumw2, *self.sumw2[1:]),
        )

    def scaled(self, factor: float) -> "Cutflow":
        """This cutflow in other units of weight: Σw times the factor, Σw² times its square."""
        return Cutflow(
            self.names,
            self.counts,
            tuple(ExactSum.of(float(total) * factor) for total in self.sumw),
            tuple(ExactSum.of(float(total) * factor**2) for total in self.sumw2),
        )

    def rows(self) -> tuple[dict[str, str | int | float], ...]:
        """One row per cut: name, count, sumw, sumw2, error, and efficiencies of all cuts and of this one."""
        first = float(self.sumw[0]) if self.sumw else 0.0
        previous = first
        rows: list[dict[str, str | int | float]] = []
        for name, count, sumw, sumw2 in zip(self.names, self.counts, self.sumw, self.sumw2, strict=True):
            total = float(sumw)
            rows.append(
                {
                    "cut": name,
                    "count": count,
                    "sumw": total,
                    "sumw2": float(sumw2),
                    "error": sqrt(float(sumw2)),
                    "efficiency": total / first if first else 0.0,
                    "relative_efficiency": total / previous if previous else 0.0,
                }
            )
            previous = total
        return tuple(rows)

    def to_json(self) -> dict[str, list[str] | list[int] | list[float]]:
        """A JSON object with the nearest doubles to the exact sums."""
        return {
            "names": list(self.names),
            "counts": list(self.counts),
            "sumw": [float(total) for total in self.sumw],
            "sumw2": [float(total) for total in self.sumw2],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Sequence[str | int | float]]) -> "Cutflow":
        """The cutflow written by `to_json`."""
        return cls(
            tuple(str(name) for name in document["names"]),
            tuple(int(count) for count in document["counts"]),
            tuple(ExactSum.of(float(total)) for total in document["sumw"]),
            tuple(ExactSum.of(float(total)) for total in document["sumw2"]),
        )


def _surviving(by_last_cut: tuple[ExactSum, ...]) -> tuple[ExactSum, ...]:
    """Sums over events that passed at least 1, 2, … cuts."""
    surviving: list[ExactSum] = []
    total = ExactSum()
    for part in reversed(by_last_cut):
        total = total + part
        surviving.append(total)
    return tuple(reversed(surviving[:-1]))


def table_csv(cutflows: Mapping[str, Cutflow], *, what: str = "process") -> str:
    """All cutflows as CSV: one line per entry and cut; `what` heads the column of their names."""
    text = io.StringIO()
    columns = [what, "cut", "count", "sumw", "sumw2", "error", "efficiency", "relative_efficiency"]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for name, flow in cutflows.items():
        for row in flow.rows():
            writer.writerow({what: name, **row})
    return text.getvalue()


def table_latex(cutflows: Mapping[str, Cutflow]) -> str:
    """All cutflows as a LaTeX tabular: cuts down; weighted events ± MC statistics and efficiency across."""
    names = next(iter(cutflows.values())).names if cutflows else ()
    head = " & ".join(["cut", *(rf"\multicolumn{{2}}{{c}}{{{_latex(name)}}}" for name in cutflows)])
    lines = [r"\begin{tabular}{l" + "rr" * len(cutflows) + "}", r"\hline", head + r" \\", r"\hline"]
    tables = [flow.rows() for flow in cutflows.values()]
    for i, cut in enumerate(names):
        cells = [
            f"{_measured(float(rows[i]['sumw']), float(rows[i]['error']))} & "
            rf"{100 * float(rows[i]['efficiency']):.3g}\,\%"
            for rows in tables
        ]
        lines.append(" & ".join([_latex(cut), *cells]) + r" \\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}", ""])


def _latex(name: str) -> str:
    return name.replace("_", r"\_")


def _measured(value: float, error: float) -> str:
    """Value and error to the second digit of the error, thousands apart.

    >>> print(_measured(1234567.8, 234.5), _measured(0.1234, 0.0056), _measured(12.0, 0.0))
    $1\\,234\\,570 \\pm 230$ $0.1234 \\pm 0.0056$ $12 \\pm 0$
    """
    digits = 1 - floor(log10(error)) if error > 0.0 else 0
    shown = (f"{round(x, digits):,.{max(digits, 0)}f}".replace(",", r"\,") for x in (value, error))
    return "$" + r" \pm ".join(shown) + "$"
