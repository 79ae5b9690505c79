"""Stage `fake_leptons`: events with loose leptons → fake factors, and events of misidentified leptons."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from znought.analysis import CHANNEL, ERA
from znought.errors import DataError
from znought.facility.cards.fake_leptons import FakeLeptons
from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context
from znought.facility.events.store import (
    IDENTITY,
    EventTable,
    read_events,
    stored_columns,
    write_parquet,
)
from znought.facility.fake_leptons.events import Leptons, read_leptons
from znought.facility.fake_leptons.method import Measurement, Sources
from znought.facility.ntuples.account import data_lumi_ifb
from znought.facility.ntuples.scales import scale_of
from znought.facility.results.fake_leptons import (
    FakeLeptonsResult,
    YieldComparison,
    write_fake_leptons,
)
from znought.facility.workspace import Workspace
from znought.processors.evaluated import NOMINAL
from znought.processors.loose import LOOSE

__all__ = ["estimate"]

Floats = NDArray[np.float64]
_WEIGHT = "gen_weight"


def estimate(context: Context[StandardCard]) -> Iterable[Path]:
    """Writes `fake_leptons.json`, and columns of the estimate beside those of the datasets it is made of.

    Raises:
        DataError: a bin without a factor, or a closure that was asked for and cannot be made.
    """
    card, workspace = context.card, context.workspace
    section = _section(card)
    for name in card.estimated:
        shutil.rmtree(workspace.columns / name, ignore_errors=True)
    has_data = bool(card.of_kind("data"))
    closing, notes = _closure(card, workspace, section)
    if has_data:
        found, files = _from_data(card, workspace, section, closing)
    else:
        which = ", ".join(section.simulation)
        notes.append(f"Misidentified leptons are those simulated as {which}: the card has no data.")
        found, files = FakeLeptonsResult(source="simulation"), [*_from_simulation(card, workspace, section)]
    closure = None if closing is None else YieldComparison.of(closing.compared(None))
    result = found.model_copy(update={"closure": closure, "notes": (*found.notes, *notes)})
    for line in result.notes:
        context.reporter.remark(line)
    write_fake_leptons(workspace.fake_leptons, result)
    return [workspace.fake_leptons, *files]


def _section(card: StandardCard) -> FakeLeptons:
    assert card.fake_leptons is not None, "only a card with the section has the stage"
    return card.fake_leptons


def _lumi_share(card: StandardCard, workspace: Workspace) -> float:
    """Luminosity of the data that were read in units of the card's."""
    return (data_lumi_ifb(workspace) or card.lumi_ifb) / card.lumi_ifb


def _closure(
    card: StandardCard, workspace: Workspace, section: FakeLeptons
) -> tuple[Measurement | None, list[str]]:
    """The method on simulated misidentified leptons alone, or why it cannot be tried."""
    simulated = card.of_kind("alternative")
    names = tuple(name for name in simulated if card.datasets[name].process in section.simulation)
    if not names:
        return None, []
    tight, loose = (
        read_leptons(card, workspace, names, is_loose=is_loose, lumi_share=_lumi_share(card, workspace))
        for is_loose in (False, True)
    )
    try:
        found = Measurement.of(Sources(card, tight, loose))
        found.compared(None)
    except DataError as error:
        if section.composition == "closure":
            raise DataError(f"fake_leptons.composition, closure in simulation: {error}") from error
        return None, [f"No closure of misidentified leptons in simulation: {error}"]
    return found, []


def _from_data(
    card: StandardCard, workspace: Workspace, section: FakeLeptons, closing: Measurement | None
) -> tuple[FakeLeptonsResult, list[Path]]:
    """Factors and events from data."""
    share = _lumi_share(card, workspace)
    recorded = card.of_kind("data")
    made_of = [str(card.datasets[name].derived_from) for name in card.estimated]
    prompt = [name for name in made_of if name not in recorded]
    events = {
        (names, is_loose): read_leptons(card, workspace, names, is_loose=is_loose, lumi_share=share)
        for names in (recorded, tuple(prompt))
        for is_loose in (False, True)
    }
    ordered = [events[names, is_loose] for names in (recorded, tuple(prompt)) for is_loose in (False, True)]
    measured = Measurement.of(Sources(card, *ordered))
    composition = section.composition
    size = closing.compared(None).uncertainty if composition == "closure" and closing else float(composition)
    validation = {name: measured.compared(name) for name in section.validation_regions}
    found = FakeLeptonsResult(
        source="data",
        bins=measured.records(),
        composition=size,
        validation={name: YieldComparison.of(one) for name, one in validation.items()},
        notes=tuple(_sentences(measured, section, size)),
    )
    files: list[Path] = []
    for name in card.estimated:
        source = str(card.datasets[name].derived_from)
        of_prompt = source not in recorded
        mine = read_leptons(card, workspace, [source], is_loose=True, lumi_share=share)
        if len(mine.table):
            weights = dict(_weights(measured, mine, is_prompt=of_prompt, composition=size))
            weights = {key: values / share for key, values in weights.items()}
            files += _written(card, workspace, name, LOOSE, weights)
    return found, files


def _sentences(measured: Measurement, section: FakeLeptons, composition: float) -> Iterator[str]:
    values = measured.factors.values
    yield (
        f"{section.process}: fake factors {values.min():.3g} to {values.max():.3g}, measured in "
        f"{section.region} in {values.size} bins; ± {composition:.0%} for their composition."
    )


def _weights(
    measured: Measurement, events: Leptons, *, is_prompt: bool, composition: float
) -> Iterator[tuple[str, Floats]]:
    """Column of each weight of the estimate's events."""
    section = measured.sources.section
    yield _WEIGHT, measured.weights(events, is_prompt=is_prompt)
    for name, values in measured.variations(events, is_prompt=is_prompt, composition=composition):
        yield f"{_WEIGHT}_{section.process}_{name}", values


def _from_simulation(card: StandardCard, workspace: Workspace, section: FakeLeptons) -> Iterator[Path]:
    """Tight events of the simulation itself under the name of the estimate."""
    scales = scale_of(workspace)
    for name in card.estimated:
        source = str(card.datasets[name].derived_from)
        table = read_events(workspace.columns, [source], [_WEIGHT])
        weight = np.asarray(table[_WEIGHT] * scales[source], np.float64)
        weights = {_WEIGHT: weight}
        for title in card.systematics_of_estimate:
            size = float(section.composition)
            for way, sign in (("up", 1.0), ("down", -1.0)):
                weights[f"{_WEIGHT}_{title}_{way}"] = weight * (1.0 + sign * size)
        if len(table):
            yield from _written(card, workspace, name, NOMINAL, weights)


def _written(
    card: StandardCard, workspace: Workspace, name: str, variation: str, weights: dict[str, Floats]
) -> Iterator[Path]:
    """Columns of one dataset of the estimate, and the same under every variation of the others.

    Args:
        card: with datasets.
        workspace: with columns.
        name: of the dataset of the estimate.
        variation: of the dataset that it is made of, whose events they are.
        weights: column → values for these events.
    """
    source = str(card.datasets[name].derived_from)
    kept = {*IDENTITY, *card.variables, ERA, CHANNEL}
    stored = stored_columns(workspace.columns, [source], variation)
    wanted = [one for one in stored if one in kept]
    table = read_events(workspace.columns, [source], wanted, variation=variation)
    others = {one for one in stored_columns(workspace.columns, card.generated) if one.startswith(_WEIGHT)}
    nominal = weights[_WEIGHT]
    every = dict.fromkeys(sorted(others), nominal) | weights
    yield _file(workspace, name, NOMINAL, table, every)
    for other in sorted(_variations(workspace, card.generated)):
        yield _file(workspace, name, other, table, {_WEIGHT: nominal})


def _file(
    workspace: Workspace, name: str, variation: str, table: EventTable, weights: dict[str, Floats]
) -> Path:
    path = workspace.columns / name / variation / "estimate.parquet"
    write_parquet(path, {**table.columns, **weights})
    return path


def _variations(workspace: Workspace, datasets: Iterable[str]) -> set[str]:
    """Variations that have columns of their own."""
    files = (path for one in datasets for path in workspace.columns.glob(f"{one}/*/*.parquet"))
    return {path.parent.name for path in files} - {NOMINAL, LOOSE}
