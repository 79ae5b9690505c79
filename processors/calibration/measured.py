"""Efficiencies of cuts on the b-tag as measured in simulation, written as a correctionlib file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import correctionlib.schemav2 as schema
import numpy as np
from numpy.typing import NDArray

from znought.processors.calibration.efficiency import EFFICIENCY

__all__ = ["FLAVOURS", "Counts", "efficiency_corrections"]

Floats = NDArray[np.float64]

FLAVOURS = (0, 4, 5)
"""Hadron flavours of jets."""
_FEWEST = 20.0
"""Effective number of jets that an efficiency is measured with."""


@dataclass(frozen=True)
class Counts:
    """Jets of one flavour in bins of |η| and pT, each array of shape (n_abs_eta, n_pt).

    Attributes:
        total, total_w2: Σw and Σw² of all jets.
        tagged: Σw of the tagged ones.
    """

    total: Floats
    total_w2: Floats
    tagged: Floats

    @classmethod
    def of(cls, every: Any, tagged: Any, scale: float) -> "Counts":
        """Out of two weighted histograms, their content times a factor."""
        return cls(every.value * scale, every.variance * scale**2, tagged.value * scale)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.total + other.total, self.total_w2 + other.total_w2, self.tagged + other.tagged)

    @property
    def whole(self) -> "Counts":
        """All bins together."""
        return Counts(*(values.sum(keepdims=True) for values in vars(self).values()))

    @property
    def efficiency(self) -> Floats:
        """Tagged over all, NaN where too few jets or negative weights leave none."""
        some = (self.total > 0.0) & (self.total**2 > _FEWEST * self.total_w2)
        found = np.divide(self.tagged, self.total, out=np.full(self.total.shape, np.nan), where=some)
        return np.where((found >= 0.0) & (found <= 1.0), found, np.nan)


def efficiency_corrections(
    counts: Mapping[str, Mapping[int, Counts]], edges: tuple[tuple[float, ...], tuple[float, ...]]
) -> tuple[schema.CorrectionSet, list[str]]:
    """A correction of sample, flavour, |η| and pT, and lines about bins with too few jets.

    Such a bin takes the efficiency of the sample's jets of its flavour in all bins; a flavour with too few of
    them that of all samples; one without any has none, and a jet of it is refused.

    Args:
        counts: sample → flavour → its jets.
        edges: of |η| and pT; jets beyond take the nearest bin.
    """
    remarks: list[str] = []
    together = {
        flavour: sum((one[flavour] for one in counts.values()), Counts(*[np.zeros((1, 1))] * 3))
        for flavour in FLAVOURS
    }
    samples = []
    for sample, mine in counts.items():
        flavours = [
            schema.CategoryItem(key=flavour, value=_binned(values, edges))
            for flavour, values in _filled(sample, mine, together, remarks)
        ]
        node = schema.Category(nodetype="category", input="flavor", content=flavours)
        samples.append(schema.CategoryItem(key=sample, value=node))
    kinds: dict[str, Literal["string", "int", "real"]] = {
        "sample": "string",
        "flavor": "int",
        "abseta": "real",
        "pt": "real",
    }
    one = schema.Correction(
        name=EFFICIENCY,
        version=1,
        description="share of simulated jets that pass the cut on the b-tag",
        inputs=[schema.Variable(name=name, type=kind) for name, kind in kinds.items()],
        output=schema.Variable(name="efficiency", type="real"),
        data=schema.Category(nodetype="category", input="sample", content=samples),
    )
    return schema.CorrectionSet(schema_version=2, corrections=[one]), remarks


def _filled(
    sample: str, mine: Mapping[int, Counts], together: Mapping[int, Counts], remarks: list[str]
) -> Iterator[tuple[int, Floats]]:
    """Flavour → its efficiencies, without gaps."""
    for flavour, jets in mine.items():
        found, whole = jets.efficiency, jets.whole.efficiency[0, 0]
        gaps = int(np.isnan(found).sum())
        instead = whole
        if np.isnan(whole):
            instead = together[flavour].whole.efficiency[0, 0]
            if np.isnan(instead):
                remarks.append(f"{sample}: too few jets of flavour {flavour}; one that is met is refused.")
                continue
        if gaps:
            source = "all samples" if np.isnan(whole) else "all its bins"
            remarks.append(
                f"{sample}: {gaps} of {found.size} bins of flavour {flavour} hold fewer than {_FEWEST:g} "
                f"jets and take the efficiency of {source}, {instead:.3f}."
            )
        yield flavour, np.where(np.isnan(found), instead, found)


def _binned(values: Floats, edges: tuple[tuple[float, ...], tuple[float, ...]]) -> schema.MultiBinning:
    n_eta, n_pt = values.shape
    content: list[Any] = [float(values[i, k]) for i, k in product(range(n_eta), range(n_pt))]
    return schema.MultiBinning(
        nodetype="multibinning",
        inputs=["abseta", "pt"],
        edges=[list(one) for one in edges],
        content=content,
        flow="clamp",
    )
