"""Jet energies as CMS calibrates them: scale, resolution and uncertainties, by the names in its files."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError
from znought.processors.corrections import correction, evaluated_correction

__all__ = ["JetCalibration", "Way"]

Floats = NDArray[np.float64]
Way = Literal["nom", "up", "down"]


@dataclass(frozen=True)
class JetCalibration:
    """The corrections of one dataset; arrays of jets have shape (n_jets,).

    Attributes:
        era: name of the era, for messages.
        file: of correctionlib, `jet_jerc.json.gz`.
        scale: name of the energy corrections, such as "Summer19UL18_V5_MC".
        resolution: name of the resolution, such as "Summer19UL18_JRV2_MC"; empty where nothing is smeared.
        algorithm: of the jets, such as "AK4PFchs".
        raw_met: uncorrected missing transverse momentum, such as "RawMET", that the corrected one is made
            from anew; empty where that of the file follows the jets.

    References:
        CMS, JINST 12 (2017) P02014, arXiv:1607.03663.
    """

    era: str
    file: str
    scale: str
    resolution: str = ""
    algorithm: str = "AK4PFchs"
    raw_met: str = ""

    def energy_factor(self, *, pt: Floats, eta: Floats, area: Floats, rho: Floats, run: Floats) -> Floats:
        """Corrected over uncorrected momentum: all levels, residuals included.

        Args:
            pt: uncorrected, GeV.
            eta, area: pseudorapidity and area of the jets.
            rho: energy density of each jet's event, GeV.
            run: of each jet's event.
        """
        return self._of(
            f"{self.scale}_L1L2L3Res_{self.algorithm}", JetPt=pt, JetEta=eta, JetA=area, Rho=rho, run=run
        )

    def offset_factor(self, *, pt: Floats, eta: Floats, area: Floats, rho: Floats) -> Floats:
        """Momentum without pile-up over the uncorrected one: the first level alone; as `energy_factor`."""
        name = f"{self.scale}_L1FastJet_{self.algorithm}"
        return self._of(name, JetPt=pt, JetEta=eta, JetA=area, Rho=rho)

    def relative_resolution(self, *, pt: Floats, eta: Floats, rho: Floats) -> Floats:
        """σ(pT)/pT of simulation."""
        return self._of(f"{self.resolution}_PtResolution_{self.algorithm}", JetPt=pt, JetEta=eta, Rho=rho)

    def resolution_factor(self, *, pt: Floats, eta: Floats, way: Way) -> Floats:
        """Resolution in data over that in simulation, nominal or one standard deviation up or down."""
        name = f"{self.resolution}_ScaleFactor_{self.algorithm}"
        return self._of(name, JetPt=pt, JetEta=eta, systematic=way)

    def uncertainty(self, source: str, *, pt: Floats, eta: Floats) -> Floats:
        """One standard deviation of a source, as a share of the corrected momentum."""
        return self._of(self._source(source), JetPt=pt, JetEta=eta)

    def check(self) -> None:
        """Refuse names that the file does not have.

        Raises:
            CardError: names era, correction and file.
        """
        names = [f"{self.scale}_L1L2L3Res_{self.algorithm}"]
        if self.resolution:
            names += [f"{self.resolution}_{one}_{self.algorithm}" for one in ("PtResolution", "ScaleFactor")]
        if self.raw_met:
            names.append(f"{self.scale}_L1FastJet_{self.algorithm}")
        for name in names:
            self._correction(name)

    def has(self, source: str) -> bool:
        """Whether the file knows a source of the energy scale: some are those of one year."""
        try:
            correction(self.file, self._source(source))
        except CardError:
            return False
        return True

    def _source(self, source: str) -> str:
        return f"{self.scale}_{source}_{self.algorithm}"

    def _correction(self, name: str) -> Any:
        try:
            return correction(self.file, name)
        except CardError as error:
            raise CardError(f"era {self.era!r}: {error} ({self.file})") from error

    def _of(self, name: str, **inputs: Any) -> Floats:
        wanted = [one.name for one in self._correction(name).inputs]
        try:
            arguments = {one: inputs[one] for one in wanted}
        except KeyError as error:
            raise CardError(
                f"era {self.era!r}: correction {name!r} of {self.file} asks for {error}: jets have none."
            ) from error
        return evaluated_correction(self.file, name, arguments, len(inputs["JetPt"]))
