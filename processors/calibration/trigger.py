"""Efficiencies of triggers by an orthogonal one, and data over simulation as a correctionlib file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import correctionlib.schemav2 as schema
import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from znought.processors.calibration.official import CENTRAL, Lookup, OfficialFactor, Outside, Terms

__all__ = [
    "CORRELATION",
    "LEADING",
    "SCALE",
    "Correlation",
    "Efficiencies",
    "Passed",
    "Triggered",
    "clopper_pearson",
    "correlation",
    "input_name",
    "trigger",
    "trigger_corrections",
]

Floats = NDArray[np.float64]

SCALE, CORRELATION = "trigger_scale_factor", "trigger_correlation"
"""Names of corrections in the file, beside `trigger_efficiency_data` and `trigger_efficiency_simulation`."""
LEADING = "leading"
"""What such a scale factor is of: the leading one of each kind of objects of an event."""
_FEWEST = 10.0
"""Effective number of events that a bin is measured with."""
_ONE_SIGMA = 0.6826894921370859


@dataclass(frozen=True)
class Passed:
    """Events in bins, and those that pass, each array of the shape of the bins.

    Attributes:
        total, total_w2: Σw and Σw² of all.
        passed: Σw of those that pass.
    """

    total: Floats
    total_w2: Floats
    passed: Floats

    def __add__(self, other: "Passed") -> "Passed":
        return Passed(self.total + other.total, self.total_w2 + other.total_w2, self.passed + other.passed)

    @property
    def whole(self) -> "Passed":
        """All bins together, of the same number of dimensions."""
        return Passed(*(values.sum(keepdims=True) for values in vars(self).values()))

    @property
    def n_effective(self) -> Floats:
        """(Σw)²/Σw², the number of events of equal weights that know as much."""
        return np.divide(
            self.total**2, self.total_w2, out=np.zeros(self.total.shape), where=self.total_w2 > 0.0
        )


@dataclass(frozen=True)
class Efficiencies:
    """Efficiencies in bins with their asymmetric errors, NaN where too few events leave none.

    Attributes:
        value, low, high: the efficiency, and the ends of its interval of 68.3 %.
    """

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Correlation:
    """Whether two triggers are independent, α = ε_A ε_B/ε_AB; 1 if they are.

    Attributes:
        value, error: α and its statistical error.
    """

    value: float
    error: float


@dataclass(frozen=True)
class Triggered:
    """What an era's triggers did.

    Attributes:
        data, simulation: of events that an orthogonal trigger took, those that the triggers took, too.
        correlation: of both in simulation.
    """

    data: Passed
    simulation: Passed
    correlation: Correlation


def clopper_pearson(events: Passed) -> Efficiencies:
    """Share of the events that pass, with the interval of Clopper and Pearson.

    low = B(p/2; k, n − k + 1) and high = B(1 − p/2; k + 1, n − k), quantiles of the beta distribution, with
    p = 31.7 %; weighted events count as n = (Σw)²/Σw², of which k = ε n pass.

    References:
        C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404.

    >>> found = clopper_pearson(Passed(np.array([100.0]), np.array([100.0]), np.array([90.0])))
    >>> found.low.round(4).tolist(), found.high.round(4).tolist()
    ([0.8604], [0.9303])
    """
    n = events.n_effective
    some = (events.total > 0.0) & (n >= _FEWEST)
    value = np.divide(events.passed, events.total, out=np.full(n.shape, np.nan), where=some)
    value = np.where((value >= 0.0) & (value <= 1.0), value, np.nan)
    k, tail = value * n, (1.0 - _ONE_SIGMA) / 2.0
    low = np.where(k > 0.0, betaincinv(k, n - k + 1.0, tail), np.where(np.isnan(k), np.nan, 0.0))
    high = np.where(k < n, betaincinv(k + 1.0, n - k, 1.0 - tail), np.where(np.isnan(k), np.nan, 1.0))
    return Efficiencies(value, low, high)


def correlation(n: float, n_a: float, n_b: float, n_ab: float, n_effective: float) -> Correlation:
    """α = ε_A ε_B/ε_AB of two triggers, with ε = N/n of simulated events; NaN without events of all kinds.

    σ²(ln α) = (1/ε_AB − 1/ε_A − 1/ε_B + 2 ε_AB/(ε_A ε_B) − 1)/n_effective, by linear propagation of the
    multinomial errors of the four classes of events.

    >>> found = correlation(1000.0, 900.0, 100.0, 90.0, 1000.0)
    >>> round(found.value, 6), round(found.error, 6)
    (1.0, 0.031623)
    """
    if min(n, n_a, n_b, n_ab, n_effective) <= 0.0:
        return Correlation(float("nan"), float("nan"))
    a, b, both = n_a / n, n_b / n, n_ab / n
    alpha = a * b / both
    variance = (1.0 / both - 1.0 / a - 1.0 / b + 2.0 * both / (a * b) - 1.0) / n_effective
    return Correlation(alpha, alpha * max(variance, 0.0) ** 0.5)


def input_name(axis: str) -> str:
    """Input of the corrections that an axis is: `electrons_pt` of `electrons.pt`."""
    return axis.replace(".", "_")


def trigger_corrections(
    eras: Mapping[str, Triggered], axes: Mapping[str, Sequence[float]]
) -> tuple[schema.CorrectionSet, list[str]]:
    """Scale factor, efficiencies and α by era, and lines about α and about bins with too few events.

    The error `stat` is that of both efficiencies in quadrature, up and down apart; `syst` is |1 − α|. A bin
    with too few events takes the scale factor of all bins, and the spread of the others as its error.

    Args:
        eras: era → what was counted.
        axes: variable of leading objects, such as `electrons.pt` → edges; beyond counts as the nearest bin.
    """
    remarks: list[str] = []
    values: dict[str, dict[str, dict[str, Any]]] = {}
    for era, found in eras.items():
        data, simulation = clopper_pearson(found.data), clopper_pearson(found.simulation)
        remarks += [f"{era}: α = {found.correlation.value:.4f} ± {found.correlation.error:.4f}."]
        of_era = {f"efficiency_{kind}": one for kind, one in (("data", data), ("simulation", simulation))}
        ways = _ratio(found, data, simulation, era, remarks)
        values.setdefault(SCALE, {})[era] = ways
        for name, one in of_era.items():
            filled = {"nominal": one.value, "up": one.high, "down": one.low}
            values.setdefault(f"trigger_{name}", {})[era] = {
                way: np.where(np.isnan(content), -1.0, content) for way, content in filled.items()
            }
        values.setdefault(CORRELATION, {})[era] = {
            "nominal": found.correlation.value,
            "up": found.correlation.value + found.correlation.error,
            "down": found.correlation.value - found.correlation.error,
        }
    made = [_correction(name, of_eras, axes) for name, of_eras in values.items()]
    return schema.CorrectionSet(schema_version=2, corrections=made), remarks


def _ratio(
    found: Triggered, data: Efficiencies, simulation: Efficiencies, era: str, remarks: list[str]
) -> dict[str, Floats]:
    """Scale factor in each way, without gaps."""
    whole = [clopper_pearson(one.whole).value.item() for one in (found.data, found.simulation)]
    scale = np.divide(
        data.value, simulation.value, out=np.full(data.value.shape, np.nan), where=simulation.value > 0.0
    )
    up, down = _stat(scale, data, simulation)
    gaps = np.isnan(scale)
    if gaps.any():
        instead = whole[0] / whole[1] if whole[1] > 0.0 else float("nan")
        spread = float(np.sqrt(np.mean((scale[~gaps] - instead) ** 2))) if not gaps.all() else float("nan")
        remarks.append(
            f"{era}: {int(gaps.sum())} of {gaps.size} bins hold fewer than {_FEWEST:g} events and take the "
            f"scale factor of all bins, {instead:.3f} ± {spread:.3f}."
        )
        scale, up, down = (
            np.where(gaps, value, one) for one, value in ((scale, instead), (up, spread), (down, spread))
        )
    syst = abs(1.0 - found.correlation.value)
    return {
        "nominal": scale,
        "stat_up": scale + up,
        "stat_down": scale - down,
        "syst_up": scale * (1.0 + syst),
        "syst_down": scale * (1.0 - syst),
    }


def _stat(scale: Floats, data: Efficiencies, simulation: Efficiencies) -> tuple[Floats, Floats]:
    """Errors upwards and downwards: of the data's efficiency, and of the simulation's the other way."""
    with np.errstate(divide="ignore", invalid="ignore"):
        data_up, data_down = data.high / data.value - 1.0, 1.0 - data.low / data.value
        up, down = simulation.high / simulation.value - 1.0, 1.0 - simulation.low / simulation.value
        return scale * np.hypot(data_up, down), scale * np.hypot(data_down, up)


def _correction(
    name: str, eras: Mapping[str, Mapping[str, Any]], axes: Mapping[str, Sequence[float]]
) -> schema.Correction:
    """A correction of era, systematic and, where its values have bins, the axes."""
    inputs = [schema.Variable(name=one, type="string") for one in ("era", "systematic")]
    if name != CORRELATION:
        inputs += [schema.Variable(name=input_name(axis), type="real") for axis in axes]

    def category(item: str, content: Iterator[tuple[str, Any]]) -> schema.Category:
        members = [schema.CategoryItem(key=key, value=value) for key, value in content]
        return schema.Category(nodetype="category", input=item, content=members)

    def node(values: Any) -> Any:
        return float(values) if np.ndim(values) == 0 else _binned(values, axes)

    ways = {
        era: category("systematic", ((way, node(values)) for way, values in of_era.items()))
        for era, of_era in eras.items()
    }
    output = schema.Variable(name=name.removeprefix("trigger_"), type="real")
    data = category("era", iter(ways.items()))
    return schema.Correction(name=name, version=1, inputs=inputs, output=output, data=data)


def _binned(values: Floats, axes: Mapping[str, Sequence[float]]) -> schema.MultiBinning:
    content: list[Any] = [float(values[place]) for place in product(*map(range, values.shape))]
    return schema.MultiBinning(
        nodetype="multibinning",
        inputs=[input_name(axis) for axis in axes],
        edges=[list(map(float, edges)) for edges in axes.values()],
        content=content,
        flow="clamp",
    )


def trigger(
    weight: str, era: str, file: str, *, axes: Sequence[str], outside: Outside = "refuse"
) -> OfficialFactor:
    """Efficiency of an era's triggers in data over that in simulation, by the leading objects of an event.

    Args:
        weight, era: as in the card.
        file: as `trigger_corrections` gives it.
        axes: as `electrons.pt`: name of objects and their variable.
        outside: what becomes of events without one of the objects; beyond the bins the nearest one counts.

    Raises:
        CardError: the file has no such correction, era or input.
    """
    ways: dict[str, Terms] = {CENTRAL: (("nominal", 1.0),)}
    for part, way in product(("stat", "syst"), ("up", "down")):
        ways[f"{part}_{way}"] = ((f"{part}_{way}", 1.0),)
    inputs = {input_name(axis): axis for axis in axes}
    lookup = Lookup.of(file, SCALE, ways, systematic="systematic", inputs=inputs, fixed={"era": era})
    return OfficialFactor(weight, era, file, LEADING, (lookup,), outside)
