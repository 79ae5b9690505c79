"""Sections of a card that describe an era of recorded data."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from znought.errors import unknown_name
from znought.facility.cards.section import Section

__all__ = ["CORRECTIONS", "ElectronEnergies", "Era", "JetEnergies", "JetVetoMap", "MuonMomenta"]

CORRECTIONS = ("pileup", "btag", "electron", "muon")
"""What an era may name a file of corrections for."""


class JetEnergies(Section):
    """Official calibration of the jets of one era.

    Attributes:
        file: of correctionlib (`jet_jerc.json.gz`), beside the card or in a folder of `ZNOUGHT_CORRECTIONS`.
        simulation: name of the energy corrections of simulation, such as "Summer19UL18_V5_MC".
        data: period → name of those of recorded data, such as {A: Summer19UL18_RunA_V5_DATA}.
        resolution: name of the resolution, such as "Summer19UL18_JRV2_MC"; empty smears nothing.
        algorithm: of the jets, such as "AK4PFchs".
        raw_met: uncorrected missing transverse momentum (`RawMET`, `RawPFMET`, `RawPuppiMET`) from which the
            corrected one is made anew, of type 1; unless given, that of the file follows the jets.
    """

    file: str
    simulation: str
    data: dict[str, str] = Field(default_factory=dict)
    resolution: str = ""
    algorithm: str = "AK4PFchs"
    raw_met: Literal["", "RawMET", "RawPFMET", "RawPuppiMET"] = ""


class ElectronEnergies(Section):
    """Official scale and smearing of the electrons of one era.

    Attributes:
        file: of correctionlib (`electronSS_EtDependent.json.gz`, `electronSS.json.gz`, or
            `EGM_ScaleUnc.json.gz` of ultra-legacy files, which have scale and smearing already), looked for
            as that of `jets`.
        scale: name of the scale in it, such as "EGMScale_Compound_Ele_2022preEE" or "UL-EGM_ScaleUnc".
        smearing: name of the smearing, such as "EGMSmearAndSyst_ElePTsplit_2022preEE"; empty smears nothing.
        pt_min_gev: electrons below stay as the file has them.
    """

    file: str
    scale: str
    smearing: str = ""
    pt_min_gev: Annotated[float, Field(ge=0)] = 20.0


class MuonMomenta(Section):
    """Official scale and resolution of the muons of one era.

    Attributes:
        file: of correctionlib (`muon_scalesmearing.json.gz`), looked for as that of `jets`.
        pt_min_gev, pt_max_gev: muons beyond stay as the file has them.
    """

    file: str
    pt_min_gev: Annotated[float, Field(ge=0)] = 26.0
    pt_max_gev: Annotated[float, Field(gt=0)] = 200.0


class JetVetoMap(Section):
    """A region of the detector in which jets are not to be trusted.

    Jets in it that pass the era's identification and overlap with no muon drop their event, or themselves.

    Attributes:
        file: of correctionlib (`jetvetomaps.json.gz`), looked for as that of `jets`.
        correction: name of the maps in it, such as "Summer19UL18_V1".
        types: of these maps, those whose regions together are vetoed.
        drops: whether events with such a jet, or only the jets, do not count.
        pt_min_gev: jets above it count, by the momenta of the file.
        em_fraction_max: and below this electromagnetic share of their energy.
        first_run: of recorded data, from this run on; all of them unless given.
        simulated_share: of simulated events, the share that it applies to, as of the luminosity from
            `first_run` on; which events these are follows from their identity. Needed with `first_run`.
    """

    file: str
    correction: str
    types: Annotated[tuple[str, ...], Field(min_length=1)] = ("jetvetomap",)
    drops: Literal["events", "jets"] = "events"
    pt_min_gev: Annotated[float, Field(ge=0)] = 15.0
    em_fraction_max: Annotated[float, Field(gt=0)] | None = None
    first_run: int | None = None
    simulated_share: Annotated[float, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _says_what_share(self) -> "JetVetoMap":
        if (self.first_run is None) != (self.simulated_share is None):
            raise ValueError("expected first_run and simulated_share together, or neither")
        return self


class Era(Section):
    """A period of data taking.

    Attributes:
        energy_tev: centre-of-mass energy; the card's unless given.
        lumi_ifb: that its simulation is scaled to; the eras' must add up to the card's.
        lumi_uncertainties: parameter of the fit → relative uncertainty of the era's luminosity. Eras that
            name the same parameter have it in common.
        certification: file of certified luminosity blocks, CMS JSON or ATLAS XML; a list for several years.
        runs: first and last run of recorded data that count; all of them unless given.
        bad_runs: runs of recorded data that do not count, certified or not.
        triggers: primary dataset → trigger paths, with wildcards. An event that several primary datasets have
            recorded counts in the first of them, in this order.
        filters: branches of event filters, of data and simulation.
        filters_data: further ones, of data alone.
        jet_vetoes: name, which a row of the cutflow takes, → region in which jets are not to be trusted.
        jet_id: identification that good jets pass; made from its inputs where files lack it or are wrong.
        pileup_id: identification of jets of the collision itself that those below 50 GeV pass, in Run 2.
        jets, electrons, muons: their calibration; as the files have them unless given.
        btag_working_point: of the file of `corrections.btag`, which gives its values.
        corrections: pileup, btag, electron or muon → file of correctionlib, beside the card or in a folder of
            `ZNOUGHT_CORRECTIONS`.
    """

    energy_tev: Annotated[float, Field(gt=0, le=100)] | None = None
    lumi_ifb: Annotated[float, Field(gt=0)] | None = None
    lumi_uncertainties: dict[str, Annotated[float, Field(ge=0, lt=1)]] = Field(default_factory=dict)
    certification: str | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    runs: tuple[int, int] | None = None
    bad_runs: tuple[int, ...] = ()
    triggers: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    filters: tuple[str, ...] = ()
    filters_data: tuple[str, ...] = ()
    jet_vetoes: dict[str, JetVetoMap] = Field(default_factory=dict)
    jet_id: Literal["tight", "tight_lepton_veto"] = "tight"
    pileup_id: Literal["loose", "medium", "tight"] | None = None
    jets: JetEnergies | None = None
    electrons: ElectronEnergies | None = None
    muons: MuonMomenta | None = None
    btag_working_point: Literal["L", "M", "T", "XT", "XXT"] = "L"
    corrections: dict[str, str] = Field(default_factory=dict)

    @property
    def certifications(self) -> tuple[str, ...]:
        """Files of certified luminosity blocks."""
        given = self.certification
        return () if given is None else (given,) if isinstance(given, str) else given

    @property
    def correction_files(self) -> dict[str, str]:
        """Key → file of corrections, of every one that it names."""
        calibrated = {"jets": self.jets, "electrons": self.electrons, "muons": self.muons}
        found = {f"{key}.file": one.file for key, one in calibrated.items() if one is not None}
        found |= {f"corrections.{kind}": file for kind, file in self.corrections.items()}
        return found | {f"jet_vetoes.{name}.file": one.file for name, one in self.jet_vetoes.items()}

    @property
    def jet_identification(self) -> dict[str, str]:
        """What travels with every chunk of its datasets, where it is not the default."""
        found: dict[str, str] = {} if self.jet_id == "tight" else {"jet_id": self.jet_id}
        return found if self.pileup_id is None else found | {"pileup_id": self.pileup_id}

    @field_validator("corrections")
    @classmethod
    def _corrections_are_known(cls, corrections: dict[str, str]) -> dict[str, str]:
        for name in corrections:
            if name not in CORRECTIONS:
                raise ValueError(unknown_name("correction", name, CORRECTIONS))
        return corrections
