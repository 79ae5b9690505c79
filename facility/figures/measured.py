"""Figures of what stages measured beside the fit: fake factors, efficiencies of triggers and of b-tags."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import correctionlib.schemav2 as schema
import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.facility.cards.fake_leptons import FakeLeptons
from znought.facility.cards.object_weights import BTagWeight
from znought.facility.cards.official import efficiency_file
from znought.facility.cards.trigger_weight import TriggerWeight
from znought.facility.figures.picture import Picture
from znought.facility.results.fake_leptons import FakeLeptonsResult
from znought.plots.labels import printed_name, readable
from znought.plots.measured import MeasuredBins, measured_in_bins, measured_in_panels
from znought.plots.style import FigureLabel
from znought.processors.calibration.efficiency import EFFICIENCY
from znought.processors.calibration.measured import INTERVAL
from znought.processors.calibration.trigger import SCALE

__all__ = ["SECTION", "btag_pictures", "fake_factor_pictures", "trigger_pictures"]

SECTION = "Measured"
_JETS = {5: "$b$ jets", 4: "$c$ jets", 0: "light jets"}
_UNITS = {"pt": ("$p_{T}$", "GeV"), "abs_eta": (r"$|\eta|$", "")}
Floats = NDArray[np.float64]


def fake_factor_pictures(
    section: FakeLeptons, found: FakeLeptonsResult, *, label: FigureLabel
) -> Iterator[Picture]:
    """Fake factors against pT, for each flavour and range of |η|; none where simulation stands for them.

    Args:
        section: of the card.
        found: what was measured.
        label: what stands above the frame.
    """
    if not found.bins:
        return
    shape = (len(section.leptons), len(section.abs_eta_edges) - 1, len(section.pt_edges_gev) - 1)
    values, errors = (
        np.reshape([getattr(one, name) for one in found.bins], shape) for name in ("value", "error")
    )
    curves = {
        f"{flavour}, {_range('abs_eta', ends)}": MeasuredBins(
            values[i, j], values[i, j] - errors[i, j], values[i, j] + errors[i, j], f"{flavour} {j}"
        )
        for i, flavour in enumerate(section.leptons)
        for j, ends in enumerate(pairwise(section.abs_eta_edges))
    }
    axis, quantity = "Lepton $p_{T}$ [GeV]", "Fake factor, tight / loose"
    figure = measured_in_bins(
        curves,
        section.pt_edges_gev,
        axis=axis,
        quantity=quantity,
        label=label,
        note=f"{printed_name(section.region)} region",
    )
    caption = (
        f"Data in {section.region} less prompt simulation, tight over loose leptons; the last bin holds all "
        "above, errors are those of the numbers of leptons."
    )
    yield Picture("fake_factors", "Fake factors", SECTION, figure, caption)


def trigger_pictures(
    weights: Mapping[str, TriggerWeight], folder: Path, *, label: FigureLabel
) -> Iterator[Picture]:
    """Efficiencies of each era's triggers in data and simulation, and the scale factor.

    Args:
        weights: name → as the card has it.
        folder: of the files that the stage `efficiency` wrote.
        label: what stands above the frame, without the luminosity.

    Raises:
        DataError: a file is gone.
    """
    for name, weight in weights.items():
        if weight.file:
            continue
        found = _written(folder, name)
        eras = [item.key for item in _items(found[SCALE].data)]
        for era in eras:
            figure = _triggers(found, str(era), weight, label)
            caption = (
                f"Of events that {', '.join(weight.orthogonal[str(era)])} took, the share that the triggers "
                "of the era took, with intervals of Clopper and Pearson; below, data over simulation with "
                "their statistical errors. Bins with fewer than ten events are left out above."
            )
            title = f"Trigger efficiency, {era}, {name}"
            yield Picture(f"trigger_{name}_{era}", title, SECTION, figure, caption)


def _triggers(
    found: Mapping[str, schema.Correction], era: str, weight: TriggerWeight, label: FigureLabel
) -> Any:
    (axis, edges), *others = weight.axes.items()
    slices = [("", "")] if not others else [*_slices(*others[0])]
    shape = tuple(len(one) - 1 for one in weight.axes.values())
    curves, ratios = {}, {}
    for k, (group, text) in enumerate(slices):
        for kind, title in (("data", "Data"), ("simulation", "Simulation")):
            ways = _values(found[f"trigger_efficiency_{kind}"], era, shape, k)
            measured = {way: np.where(values < 0.0, np.nan, values) for way, values in ways.items()}
            curves[f"{title}{text}"] = MeasuredBins(
                measured["nominal"], measured["down"], measured["up"], group
            )
        scale = _values(found[SCALE], era, shape, k)
        ratios[text] = MeasuredBins(scale["nominal"], scale["stat_down"], scale["stat_up"], group)
    return measured_in_bins(
        curves, edges, axis=_title(axis), quantity="Efficiency", label=label, ratios=ratios, note=era
    )


def btag_pictures(
    weights: Mapping[str, BTagWeight], folder: Path, *, label: FigureLabel
) -> Iterator[Picture]:
    """Efficiencies of the cut on the b-tag in each sample: a panel for each flavour, against pT and |η|.

    Args:
        weights: name → as the card has it.
        folder: of the files that the stage `efficiency` wrote.
        label: what stands above the frame, without the luminosity.

    Raises:
        DataError: a file is gone.
    """
    for name, weight in weights.items():
        if weight.efficiency is not None:
            continue
        found = _written(folder, name)
        for item in _items(found[EFFICIENCY].data):
            sample = str(item.key)
            figure = measured_in_panels(
                _tags(found, sample, weight),
                weight.edges_pt_gev,
                axis="Jet $p_{T}$ [GeV]",
                quantity="Efficiency of the $b$-tag",
                label=label,
                note=printed_name(sample),
            )
            title = f"b-tag efficiency, {readable(printed_name(sample))}, {name}"
            yield Picture(f"btag_{name}_{sample}", title, SECTION, figure, _TAGS)


_TAGS = (
    "Share of the simulated jets that pass the cut on the b-tag, by hadron flavour, |η| and pT, with "
    "intervals of Clopper and Pearson of independent jets; the outer bins hold all beyond. Bins with too "
    "few jets are left out here, and take the efficiency of all bins where it is applied."
)


def _tags(
    found: Mapping[str, schema.Correction], sample: str, weight: BTagWeight
) -> dict[str, dict[str, MeasuredBins]]:
    """Title of each flavour's panel → its efficiencies by range of |η|."""
    ways = {str(item.key): _of_sample(item.value, sample) for item in _items(found[INTERVAL].data)}
    value, shape = _of_sample(found[EFFICIENCY].data, sample), (len(weight.edges_abs_eta) - 1, -1)
    panels = {}
    for flavour, title in _JETS.items():
        if flavour not in value:
            continue
        low, high = (np.reshape(ways[way][flavour], shape) for way in ("down", "up"))
        nominal = np.where(low < 0.0, np.nan, np.reshape(value[flavour], shape))
        panels[title] = {
            _range("abs_eta", ends): MeasuredBins(nominal[i], low[i], high[i], f"{i}")
            for i, ends in enumerate(pairwise(weight.edges_abs_eta))
        }
    return panels


def _of_sample(node: Any, sample: str) -> dict[int, Floats]:
    """Flavour → values in all bins of |η| and pT of one sample."""
    flavours = next(item.value for item in _items(node) if item.key == sample)
    return {
        int(item.key): np.asarray(item.value.content, np.float64)
        for item in _items(flavours)
        if isinstance(item.value, schema.MultiBinning)
    }


def _written(folder: Path, name: str) -> dict[str, schema.Correction]:
    """Name → correction of the file that was measured for a weight.

    Raises:
        DataError: it is gone.
    """
    path = efficiency_file(folder, name)
    if not path.is_file():
        raise DataError(f"weights.{name}: its efficiencies are gone: {path} does not exist.")
    read = schema.CorrectionSet.model_validate_json(path.read_text(encoding="utf-8"))
    return {one.name: one for one in read.corrections}


def _items(node: Any) -> list[schema.CategoryItem]:
    assert isinstance(node, schema.Category)
    return list(node.content)


def _values(correction: schema.Correction, era: str, shape: tuple[int, ...], k: int) -> dict[str, Floats]:
    """Systematic → values in bins of the first axis, of bin k of the second."""
    ways = next(item.value for item in _items(correction.data) if item.key == era)
    found = {}
    for item in _items(ways):
        assert isinstance(item.value, schema.MultiBinning)
        values = np.reshape(np.asarray(item.value.content, np.float64), shape)
        found[str(item.key)] = values if values.ndim == 1 else values[:, k]
    return found


def _slices(axis: str, edges: tuple[float, ...]) -> Iterator[tuple[str, str]]:
    """Group, and what distinguishes it in the legend, of every bin of the second axis."""
    objects, _, variable = axis.partition(".")
    for ends in pairwise(edges):
        yield f"{axis} {ends}", f", {objects} {_range(variable, ends)}"


def _range(variable: str, ends: tuple[float, float]) -> str:
    symbol, unit = _UNITS.get(variable, (variable, ""))
    return f"{ends[0]:g} ≤ {symbol} < {ends[1]:g} {unit}".rstrip()


def _title(axis: str) -> str:
    """Title of an axis of a leading object.

    >>> _title("electrons.pt")
    'Leading electrons $p_{T}$ [GeV]'
    """
    objects, _, variable = axis.partition(".")
    symbol, unit = _UNITS.get(variable, (variable, ""))
    return f"Leading {objects} {symbol}" + (f" [{unit}]" if unit else "")
