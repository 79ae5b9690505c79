"""Sections of a card that describe an era of recorded data."""

from typing import Annotated

from pydantic import Field, field_validator

from znought.errors import unknown_name
from znought.facility.cards.section import Section

__all__ = ["CORRECTIONS", "Era", "JetEnergies"]

CORRECTIONS = ("pileup", "btag", "electron", "muon", "electron_scale", "muon_scale")
"""What an era may name a file of corrections for."""


class JetEnergies(Section):
    """Official calibration of the jets of one era.

    Attributes:
        file: of correctionlib (`jet_jerc.json.gz`), beside the card or in a folder of `ZNOUGHT_CORRECTIONS`.
        simulation: name of the energy corrections of simulation, such as "Summer19UL18_V5_MC".
        data: period → name of those of recorded data, such as {A: Summer19UL18_RunA_V5_DATA}.
        resolution: name of the resolution, such as "Summer19UL18_JRV2_MC"; empty smears nothing.
        algorithm: of the jets, such as "AK4PFchs".
    """

    file: str
    simulation: str
    data: dict[str, str] = Field(default_factory=dict)
    resolution: str = ""
    algorithm: str = "AK4PFchs"


class Era(Section):
    """A period of data taking.

    Attributes:
        lumi_ifb: that its simulation is scaled to; the eras' must add up to the card's.
        certification: file of certified luminosity blocks, CMS JSON or ATLAS XML.
        runs: first and last run of recorded data that count; all of them unless given.
        triggers: primary dataset → trigger paths, with wildcards. An event that several primary datasets have
            recorded counts in the first of them, in this order.
        filters: branches of event filters, of data and simulation.
        filters_data: further ones, of data alone.
        jets: their calibration; as the files have them unless given.
        corrections: pileup, btag, electron, muon, electron_scale or muon_scale → file of correctionlib,
            beside the card or in a folder of `ZNOUGHT_CORRECTIONS`.
    """

    lumi_ifb: Annotated[float, Field(gt=0)] | None = None
    certification: str | None = None
    runs: tuple[int, int] | None = None
    triggers: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    filters: tuple[str, ...] = ()
    filters_data: tuple[str, ...] = ()
    jets: JetEnergies | None = None
    corrections: dict[str, str] = Field(default_factory=dict)

    @field_validator("corrections")
    @classmethod
    def _corrections_are_known(cls, corrections: dict[str, str]) -> dict[str, str]:
        for name in corrections:
            if name not in CORRECTIONS:
                raise ValueError(unknown_name("correction", name, CORRECTIONS))
        return corrections
