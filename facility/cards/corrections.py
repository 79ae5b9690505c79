"""Every file of corrections that a card names, and every name in it, before anything is read."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from znought.errors import CardError
from znought.facility.cards.calibrations import lepton_calibration
from znought.facility.cards.era import Era
from znought.facility.cards.eras import correction_file
from znought.facility.cards.official import official_of
from znought.facility.cards.weights import correction_weights
from znought.processors.calibration.jets import JetCalibration
from znought.processors.weights import check_scale_factors

if TYPE_CHECKING:
    from znought.facility.cards.base import Card

__all__ = ["correction_problems"]


def correction_problems(card: "Card") -> tuple[str, ...]:
    """Missing files and unknown names, one line each, with era, file and the nearest known name.

    Args:
        card: with its folder.
    """
    eras, folder = card.eras, card.folder
    found = [*_files(eras, folder), *_jets(eras, folder), *_leptons(eras, folder)]
    for name, factor in correction_weights(card.weights).items():
        try:
            check_scale_factors({name: factor}, any_object=card.has_plain_functions)
        except CardError as error:
            found.append(str(error))
    return tuple(dict.fromkeys([*found, *official_of(card).problems()]))


def _files(eras: Mapping[str, Era], folder: Path) -> Iterator[str]:
    """Files of eras that are not there."""
    for era, entry in eras.items():
        certified = [("certification", file) for file in entry.certifications]
        for key, file in [*entry.correction_files.items(), *certified]:
            try:
                correction_file(file, folder)
            except CardError as error:
                yield f"eras.{era}.{key}: {error}"


def _jets(eras: Mapping[str, Era], folder: Path) -> Iterator[str]:
    """Names of jet energy corrections that their files do not have."""
    for era, entry in eras.items():
        jets = entry.jets
        for key, scale in {} if jets is None else {"simulation": jets.simulation, **jets.data}.items():
            assert jets is not None, "it names the scale"
            resolution = jets.resolution if key == "simulation" else ""
            try:
                file = str(correction_file(jets.file, folder))
                JetCalibration(era, file, scale, resolution, jets.algorithm, jets.raw_met).check()
            except CardError as error:
                if "no such file" not in str(error):
                    yield f"eras.{era}.jets.{key}: {error}"


def _leptons(eras: Mapping[str, Era], folder: Path) -> Iterator[str]:
    """Corrections of leptons that their files do not have, or that are of something else."""
    for era, entry in eras.items():
        for flavour in ("electron", "muon"):
            try:
                found = lepton_calibration(era, entry, flavour, folder, is_data=False)
                if found is not None:
                    found.check()
            except CardError as error:
                if "no such file" not in str(error):
                    yield f"eras.{era}.{flavour}s: {error}"
