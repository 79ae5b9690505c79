"""Eras of a card: their luminosities, and what their events must be to count."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from znought.errors import CardError, unknown_name
from znought.facility.cards.era import Era, JetVetoMap
from znought.facility.cards.sections import Dataset, check_known
from znought.simulation.config import ENERGY_TEV

if TYPE_CHECKING:
    from znought.processors.quality.jet_veto import JetVeto
    from znought.processors.quality.judged import Quality

__all__ = [
    "SEARCHED",
    "check_eras",
    "check_lumi_names",
    "correction_file",
    "energies_of",
    "era_metadata",
    "lumi_of",
    "lumi_shifts",
    "qualities",
    "scaled_by_era",
]

SEARCHED = "ZNOUGHT_CORRECTIONS"
"""Environment variable: folders in which correction files are looked for, behind that of the card."""

_RUN2 = ("2016", "2017", "2018")
_ROWS = ("all", "certified", "triggered", "clean")
_AGREE = 1e-3
"""Relative difference of the sum of the eras' luminosities from the card's that is rounding."""


def check_eras(
    eras: Mapping[str, Era],
    datasets: Mapping[str, Dataset],
    data: Sequence[str],
    lumi_ifb: float,
    energy_tev: float,
) -> None:
    """Raises unless every dataset is of a known era, and luminosities and primary datasets fit.

    Args:
        eras, datasets: of the card.
        data: names of the datasets of recorded data.
        lumi_ifb, energy_tev: of the card.

    Raises:
        ValueError: with the key; pydantic turns it into a card error.
    """
    for name, dataset in datasets.items():
        where = f"datasets.{name}"
        _check_generated(where, dataset, (eras.get(str(dataset.era)) or Era()).energy_tev or energy_tev)
        if not eras:
            if dataset.primary_dataset is not None:
                raise ValueError(f"{where}.primary_dataset: has no effect without eras that name triggers.")
            continue
        if dataset.era is None:
            raise ValueError(f"{where}.era: expected one of the card's eras: {', '.join(eras)}.")
        check_known(f"{where}.era", "era", dataset.era, eras)
        _check_primary(where, dataset, eras[dataset.era], is_data=name in data)
        _check_period(where, dataset, eras[dataset.era], is_data=name in data)
    for name, era in eras.items():
        _check_jets(f"eras.{name}", name, era)
    given = {name: era.lumi_ifb for name, era in eras.items() if era.lumi_ifb is not None}
    if not given:
        if len(energies_of(eras, energy_tev)) > 1:
            raise ValueError("eras: of several energies; give each its lumi_ifb, which its simulation has.")
        return
    for name in eras:
        if name not in given:
            raise ValueError(f"eras.{name}.lumi_ifb: give it to all eras or to none.")
    total = sum(given.values())
    if abs(total - lumi_ifb) > _AGREE * lumi_ifb:
        raise ValueError(f"lumi_ifb: the eras add up to {total:g}. Received: {lumi_ifb:g}.")


def _check_generated(where: str, dataset: Dataset, energy_tev: float) -> None:
    """Raises where a recipe would be generated at another energy than the card says."""
    recipe = getattr(dataset, "recipe", None)
    if recipe is not None and not dataset.files and energy_tev != ENERGY_TEV:
        raise ValueError(
            f"{where}.recipe: {recipe} is generated at {ENERGY_TEV:g} TeV, and energy_tev is {energy_tev:g}."
        )


def _check_primary(where: str, dataset: Dataset, era: Era, *, is_data: bool) -> None:
    primary = dataset.primary_dataset
    if not is_data or not era.triggers:
        if primary is not None:
            reason = "on simulation" if not is_data else "in an era without triggers"
            raise ValueError(f"{where}.primary_dataset: has no effect {reason}.")
        return
    if primary is None:
        raise ValueError(f"{where}.primary_dataset: expected one of {', '.join(era.triggers)}.")
    if primary not in era.triggers:
        raise ValueError(f"{where}.primary_dataset: {unknown_name('primary dataset', primary, era.triggers)}")


def _check_jets(where: str, name: str, era: Era) -> None:
    if era.pileup_id is not None and not name.startswith(_RUN2):
        raise ValueError(
            f"{where}.pileup_id: its bits are those of {', '.join(_RUN2)}; expected an era whose name begins "
            "with one of them."
        )
    for taken in _ROWS:
        if taken in era.jet_vetoes:
            raise ValueError(
                f"{where}.jet_vetoes.{taken}: a row of the cutflow has this name; choose another."
            )


def _check_period(where: str, dataset: Dataset, era: Era, *, is_data: bool) -> None:
    if not is_data or era.jets is None:
        if dataset.period is not None:
            raise ValueError(f"{where}.period: has no effect but on data of an era that calibrates jets.")
        return
    if dataset.period is None:
        raise ValueError(f"{where}.period: expected one of {', '.join(era.jets.data) or 'eras.…jets.data'}.")
    if dataset.period not in era.jets.data:
        raise ValueError(f"{where}.period: {unknown_name('period', dataset.period, era.jets.data)}")


def era_metadata(name: str, era: Era, folder: Path) -> dict[str, Any]:
    """How the chunks of an era's datasets are read.

    Raises:
        CardError: the file of its b-tags is not there, or knows no such working point.
    """
    found: dict[str, Any] = dict(era.jet_identification)
    if "btag" in era.corrections:
        from znought.processors.dialects.working_points import file_working_points

        try:
            file = str(correction_file(era.corrections["btag"], folder))
            found["btag_working_points"] = file_working_points(file, era.btag_working_point)
        except CardError as error:
            raise CardError(f"eras.{name}.corrections.btag: {error}") from error
    return found


def lumi_shifts(eras: Mapping[str, Era], datasets: Mapping[str, Dataset]) -> dict[str, dict[str, float]]:
    """Parameter of a luminosity → dataset → by how much one standard deviation changes its yields."""
    names = dict.fromkeys(name for era in eras.values() for name in era.lumi_uncertainties)
    return {
        name: {
            dataset: eras[str(one.era)].lumi_uncertainties.get(name, 0.0) for dataset, one in datasets.items()
        }
        for name in names
    }


def check_lumi_names(eras: Mapping[str, Era], taken: Sequence[str]) -> None:
    """Raises for a parameter of a luminosity that has the name of another uncertainty.

    Raises:
        ValueError: with the name; pydantic turns it into a card error.
    """
    for name, era in eras.items():
        for parameter in era.lumi_uncertainties:
            if parameter in taken:
                where = f"eras.{name}.lumi_uncertainties.{parameter}"
                raise ValueError(f"{where}: another uncertainty has this name; choose another.")


def lumi_of(eras: Mapping[str, Era], dataset: Dataset, lumi_ifb: float) -> float:
    """Luminosity that a simulated dataset is scaled to: of its era, or the card's."""
    era = eras.get(dataset.era or "")
    return lumi_ifb if era is None or era.lumi_ifb is None else era.lumi_ifb


def energies_of(eras: Mapping[str, Era], energy_tev: float) -> dict[float, float]:
    """Centre-of-mass energy in TeV → its share of the luminosity, in ascending order.

    Args:
        eras: of a card.
        energy_tev: of the card, which eras have unless they say otherwise.

    >>> energies_of({"2018": Era(lumi_ifb=60.0), "2022": Era(lumi_ifb=20.0, energy_tev=13.6)}, 13.0)
    {13.0: 0.75, 13.6: 0.25}
    """
    found: dict[float, float] = {}
    for era in eras.values():
        energy = era.energy_tev or energy_tev
        found[energy] = found.get(energy, 0.0) + (era.lumi_ifb or 1.0)
    total = sum(found.values())
    return {energy: found[energy] / total for energy in sorted(found)} or {energy_tev: 1.0}


def scaled_by_era(eras: Mapping[str, Era]) -> bool:
    """Whether simulation is scaled to the luminosity of its era, so that each era has samples of its own."""
    return any(era.lumi_ifb is not None for era in eras.values())


def qualities(eras: Mapping[str, Era], datasets: Mapping[str, Dataset], folder: Path) -> dict[str, "Quality"]:
    """Dataset → what its events must be to count; none where no era asks for anything.

    Args:
        eras, datasets: of the card.
        folder: in which files of certification are looked for.

    Raises:
        CardError, DataError: a file of certification that is not there, or cannot be read.
    """
    # A card is read without what only stages need.
    from znought.processors.quality.certification import read_certification
    from znought.processors.quality.judged import CERTIFIED, CLEAN, TRIGGERED, Quality

    asked = {
        CERTIFIED: any(era.certification or era.runs or era.bad_runs for era in eras.values()),
        TRIGGERED: any(era.triggers for era in eras.values()),
        CLEAN: any(era.filters or era.filters_data for era in eras.values()),
    }
    vetoes = {
        name: {key: _jet_veto(name, key, one, folder) for key, one in era.jet_vetoes.items()}
        for name, era in eras.items()
    }
    drop_events = (key for maps in vetoes.values() for key, one in maps.items() if one.drops == "events")
    rows = (*(row for row, wanted in asked.items() if wanted), *dict.fromkeys(drop_events))
    found: dict[str, Quality] = {}
    for name, dataset in datasets.items() if rows or any(vetoes.values()) else ():
        era = eras[str(dataset.era)]
        files = [correction_file(file, folder) for file in era.certifications]
        found[name] = Quality(
            era=str(dataset.era),
            rows=rows,
            certification=read_certification(*files) if files else None,
            runs=era.runs,
            bad_runs=era.bad_runs,
            triggers=era.triggers,
            primary_dataset=dataset.primary_dataset,
            filters=era.filters,
            filters_data=era.filters_data,
            jet_vetoes=vetoes[str(dataset.era)],
        )
    return found


def _jet_veto(era: str, key: str, given: JetVetoMap, folder: Path) -> "JetVeto":
    """A veto of regions with the place of its file.

    Raises:
        CardError: the file, or a map in it, is not there.
    """
    from znought.processors.quality.jet_veto import JetVeto, check_map

    values = given.model_dump(exclude={"file", "simulated_share"})
    share = 1.0 if given.simulated_share is None else given.simulated_share
    try:
        found = JetVeto(era, str(correction_file(given.file, folder)), simulated_share=share, **values)
        check_map(found)
    except CardError as error:
        raise CardError(f"eras.{era}.jet_vetoes.{key}: {error}") from error
    return found


def correction_file(name: str, folder: Path) -> Path:
    """A file in the folder of the card, or in the first folder of `ZNOUGHT_CORRECTIONS` that has it.

    Raises:
        CardError: no such file; all places are named.
    """
    folders = [folder, *(Path(one) for one in os.environ.get(SEARCHED, "").split(os.pathsep) if one)]
    for one in folders:
        if (one / name).is_file():
            return (one / name).resolve()
    places = ", ".join(str(one) for one in folders)
    raise CardError(f"{name}: no such file in {places} ({SEARCHED} names further folders).")
