"""Efficiencies of cuts on the b-tag as measured in simulation, written as a correctionlib file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import correctionlib.schemav2 as schema
import numpy as np
from numpy.typing import NDArray

from znought.processors.calibration.efficiency import EFFICIENCY
from znought.processors.calibration.trigger import Passed, clopper_pearson

__all__ = ["FLAVOURS", "INTERVAL", "Counts", "efficiency_corrections"]

Floats = NDArray[np.float64]

FLAVOURS = (0, 4, 5)
"""Hadron flavours of jets."""
INTERVAL = "btag_efficiency_interval"
"""Name of a second correction (systematic, sample, flavor, abseta, pt) of the file, for figures."""
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

    A second one holds the ends, "down" and "up", of the interval of Clopper and Pearson, with jets taken as
    independent; −1 in a bin with too few jets. Such a bin takes the efficiency of the sample's jets of its
    flavour in all bins; a flavour with too few of them that of all samples; one without any has none, and a
    jet of it is refused.

    Args:
        counts: sample → flavour → its jets.
        edges: of |η| and pT; jets beyond take the nearest bin.
    """
    remarks: list[str] = []
    together = {
        flavour: sum((one[flavour] for one in counts.values()), Counts(*[np.zeros((1, 1))] * 3))
        for flavour in FLAVOURS
    }
    values: dict[str, dict[str, dict[int, Floats]]] = {"nominal": {}, "down": {}, "up": {}}
    for sample, mine in counts.items():
        values["nominal"][sample] = dict(_filled(sample, mine, together, remarks))
        ends = {flavour: _ends(mine[flavour]) for flavour in values["nominal"][sample]}
        for way in ("down", "up"):
            values[way][sample] = {flavour: one[way] for flavour, one in ends.items()}
    nodes = {way: _by_sample(of_samples, edges) for way, of_samples in values.items()}
    ways = [schema.CategoryItem(key=way, value=nodes[way]) for way in ("down", "up")]
    interval = schema.Category(nodetype="category", input="systematic", content=ways)
    measured = [
        _correction(EFFICIENCY, "share of simulated jets that pass the cut on the b-tag", nodes["nominal"]),
        _correction(INTERVAL, "ends of its interval of 68.3 %, -1 where too few jets leave none", interval),
    ]
    return schema.CorrectionSet(schema_version=2, corrections=measured), remarks


def _ends(jets: Counts) -> dict[str, Floats]:
    """Ends of the interval of each efficiency, −1 where there is none."""
    found = clopper_pearson(Passed(jets.total, jets.total_w2, jets.tagged))
    gaps = np.isnan(jets.efficiency)
    return {"down": np.where(gaps, -1.0, found.low), "up": np.where(gaps, -1.0, found.high)}


def _by_sample(
    values: Mapping[str, Mapping[int, Floats]], edges: tuple[tuple[float, ...], tuple[float, ...]]
) -> schema.Category:
    """A node of sample, flavour, |η| and pT."""
    samples = []
    for sample, of_flavours in values.items():
        flavours = [
            schema.CategoryItem(key=flavour, value=_binned(one, edges))
            for flavour, one in of_flavours.items()
        ]
        node = schema.Category(nodetype="category", input="flavor", content=flavours)
        samples.append(schema.CategoryItem(key=sample, value=node))
    return schema.Category(nodetype="category", input="sample", content=samples)


def _correction(name: str, description: str, data: schema.Category) -> schema.Correction:
    kinds: dict[str, Literal["string", "int", "real"]] = {
        "systematic": "string",
        "sample": "string",
        "flavor": "int",
        "abseta": "real",
        "pt": "real",
    }
    if name == EFFICIENCY:
        del kinds["systematic"]
    return schema.Correction(
        name=name,
        version=1,
        description=description,
        inputs=[schema.Variable(name=one, type=kind) for one, kind in kinds.items()],
        output=schema.Variable(name="efficiency", type="real"),
        data=data,
    )


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
