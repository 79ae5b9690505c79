"""Calibrations of a card's jets, electrons and muons, dataset by dataset."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from znought.errors import CardError
from znought.facility.cards.era import Era
from znought.facility.cards.eras import correction_file
from znought.facility.cards.sections import Dataset
from znought.processors.variations import VariationsConfig

if TYPE_CHECKING:
    from znought.facility.cards.base import Card
    from znought.processors.calibration.jets import JetCalibration
    from znought.processors.calibration.leptons import LeptonCalibration

__all__ = ["calibrations_of", "check_measured", "lepton_calibration", "leptons_of_era"]


def calibrations_of(
    card: "Card",
) -> "tuple[dict[str, JetCalibration], dict[str, dict[str, LeptonCalibration]]]":
    """Dataset → how its jets are calibrated, and dataset → flavour → how its leptons are.

    Raises:
        CardError: a file that is not there, or a source of the jet energy scale that no era knows.
    """
    given = card.eras, card.datasets, card.of_kind("data"), card.folder
    jets = _jets(*given)
    _check_sources(card.variations.enabled, jets)
    return jets, _leptons(*given)


def check_measured(variations: VariationsConfig, eras: Mapping[str, Era]) -> None:
    """Raises unless every era calibrates what its variations are measured of.

    Raises:
        ValueError: names the key; pydantic turns it into a card error.
    """
    every = eras or {"…": Era()}
    if variations.jets == "measured":
        for name, era in every.items():
            if era.jets is None:
                raise ValueError(
                    f"variations.jets: measured needs jets of every era: eras.<era>.jets; {name!r} has none."
                )
    if variations.leptons == "relative":
        return
    asked = {f"{flavour}s": one.quantity for one in variations.all() for flavour in one.lepton_flavours}
    if not asked:
        raise ValueError("variations.leptons: measured has no effect: no lepton is varied.")
    for key, quantity in asked.items():
        for name, era in every.items():
            if getattr(era, key) is None:
                raise ValueError(
                    f"variations.leptons: measured {quantity} needs {key} of every era: eras.<era>.{key}; "
                    f"{name!r} has none."
                )


def _jets(
    eras: Mapping[str, Era], datasets: Mapping[str, Dataset], data: Sequence[str], folder: Path
) -> "dict[str, JetCalibration]":
    """Dataset → how its jets are calibrated, of the eras that say so.

    Args:
        eras, datasets: of the card.
        data: names of the datasets of recorded data.
        folder: of the card.

    Raises:
        CardError: a file that is not there.
    """
    from znought.processors.calibration.jets import JetCalibration

    found: dict[str, JetCalibration] = {}
    for name, dataset in datasets.items():
        jets = eras[str(dataset.era)].jets if eras else None
        if jets is None:
            continue
        is_data = name in data
        # Jets are calibrated before a dataset is divided into its parts.
        found[dataset.part_of or name] = JetCalibration(
            era=str(dataset.era),
            file=str(correction_file(jets.file, folder)),
            scale=jets.data[str(dataset.period)] if is_data else jets.simulation,
            resolution="" if is_data else jets.resolution,
            algorithm=jets.algorithm,
            raw_met=jets.raw_met,
        )
    return found


def _leptons(
    eras: Mapping[str, Era], datasets: Mapping[str, Dataset], data: Sequence[str], folder: Path
) -> "dict[str, dict[str, LeptonCalibration]]":
    """Dataset → flavour → how its leptons are calibrated, of the eras that say so.

    Args:
        eras, datasets, data, folder: as for `_jets`.

    Raises:
        CardError: a file that is not there.
    """
    found: dict[str, dict[str, LeptonCalibration]] = {}
    for name, dataset in datasets.items():
        mine = leptons_of_era(str(dataset.era), eras, folder, is_data=name in data)
        if mine:
            found[dataset.part_of or name] = mine
    return found


def leptons_of_era(
    name: str, eras: Mapping[str, Era], folder: Path, *, is_data: bool
) -> "dict[str, LeptonCalibration]":
    """Flavour → how an era calibrates its leptons; none for which it says nothing.

    Raises:
        CardError: a file that is not there.
    """
    era = eras.get(name, Era())
    given = {one: lepton_calibration(name, era, one, folder, is_data=is_data) for one in ("electron", "muon")}
    return {flavour: one for flavour, one in given.items() if one is not None}


def lepton_calibration(
    name: str, era: Era, flavour: str, folder: Path, *, is_data: bool
) -> "LeptonCalibration | None":
    """How an era calibrates leptons of a flavour; None where it says nothing of them.

    Raises:
        CardError: a file that is not there.
    """
    from znought.processors.calibration.leptons import ElectronCalibration, MuonCalibration

    given = era.electrons if flavour == "electron" else era.muons
    if given is None:
        return None
    file = str(correction_file(given.file, folder))
    values = given.model_dump(exclude={"file"})
    kind = ElectronCalibration if flavour == "electron" else MuonCalibration
    return kind(name, file, is_data=is_data, **values)


def _check_sources(enabled: Sequence[str], calibrations: "Mapping[str, JetCalibration]") -> None:
    """Raises for a source of the jet energy scale that is in the file of no era.

    Raises:
        CardError: names it and the files.
    """
    for name in enabled:
        kind, _, source = name.partition("_")
        if kind != "jes" or not source or any(one.has(source) for one in calibrations.values()):
            continue
        files = ", ".join(sorted({one.file for one in calibrations.values()}))
        raise CardError(
            f"variations.enabled: no era knows the source {source!r} of the jet energies: {files}."
        )
