"""Sections of a card that describe an era of recorded data."""

from typing import Annotated

from pydantic import Field

from znought.facility.cards.section import Section

__all__ = ["Era", "JetEnergies"]


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
    """

    lumi_ifb: Annotated[float, Field(gt=0)] | None = None
    certification: str | None = None
    runs: tuple[int, int] | None = None
    triggers: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    filters: tuple[str, ...] = ()
    filters_data: tuple[str, ...] = ()
    jets: JetEnergies | None = None
