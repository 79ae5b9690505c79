"""Momenta of electrons and muons as CMS calibrates them: scale, resolution and uncertainties."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from znought.errors import CardError, DataError, unknown_name
from znought.processors.calibration.crystal_ball import crystal_ball_number
from znought.processors.corrections import correction, evaluated_correction, variations

__all__ = ["ElectronCalibration", "LeptonCalibration", "LeptonWay", "MuonCalibration"]

Floats = NDArray[np.float64]
Values = Callable[[str], Floats]
LeptonWay = Literal["nominal", "scale_up", "scale_down", "resolution_up", "resolution_down"]

_INPUTS: Mapping[str, str] = {
    "run": "run",
    "eta": "supercluster_eta",
    "ScEta": "supercluster_eta",
    "AbsScEta": "abs_supercluster_eta",
    "r9": "r9",
    "pt": "pt",
    "et": "pt",
    "gain": "gain",
    "seedGain": "gain",
}
"""Input of the files of electrons → variable of theirs."""


@dataclass(frozen=True)
class _Layout:
    """How one kind of CMS' files of electrons names its values.

    Attributes:
        scale: factor on recorded momenta; empty where files have it already.
        scale_error: relative error of the scale, or empty.
        smearing, smearing_error: width of the smearing, and its error.
        errors_with: whose correction holds the error of the scale, "scale" or "smearing".
        factors: up and down as factors, in place of an error.
    """

    scale: str = ""
    scale_error: str = ""
    smearing: str = ""
    smearing_error: str = ""
    errors_with: Literal["scale", "smearing"] = "scale"
    factors: tuple[str, ...] = ()


_LAYOUTS: Mapping[str, _Layout] = {
    "valtype": _Layout("total_correction", "total_uncertainty", "rho", "err_rho"),
    "syst": _Layout("scale", "escale", "smear", "esmear", "smearing"),
    "ValType": _Layout(factors=("scaleup", "scaledown")),
}
"""Input that chooses the value → names of the values: 2022 and later, the same by energy, ultra-legacy."""


@dataclass(frozen=True)
class ElectronCalibration:
    """Scale of recorded electrons, smearing of simulated ones; arrays have shape (n_electrons,).

    Simulated momenta are multiplied by 1 + ρ ξ, up and down with the same Gaussian number ξ and ρ ± its
    error, not below 0. The scale moves data nominally and simulation by its error alone, evaluated at the
    momenta of the file.

    Attributes:
        era: name of the era, for messages, and the `year` of files that ask for one.
        file: of correctionlib, `electronSS_EtDependent.json.gz`, `electronSS.json.gz`, or, of ultra-legacy
            events, `EGM_ScaleUnc.json.gz`.
        scale: name of the correction of the scale, plain or compound.
        smearing: name of the correction of the smearing; empty smears nothing.
        is_data: recorded electrons.
        pt_min_gev: those below stay as the file has them.

    References:
        CMS EGM, https://twiki.cern.ch/twiki/bin/view/CMS/EgammSFandSSRun3; inputs by version as in
        https://github.com/cms-cat/nanoAOD-tools-modules (eleScaleRes.py).
    """

    era: str
    file: str
    scale: str
    smearing: str = ""
    is_data: bool = False
    pt_min_gev: float = 20.0

    collection: ClassVar[str] = "Electron"
    flavour: ClassVar[str] = "electron"

    def momenta(self, given: Values, way: LeptonWay = "nominal") -> Floats:
        """Calibrated transverse momenta, GeV.

        Args:
            given: variable → values: pt of the file, supercluster_eta, r9, gain, run, and `number`, uniform
                in [0, 1).
            way: nominal, or one standard deviation; those of recorded electrons are nominal.

        Raises:
            DataError: a correction has no value for an electron.
        """
        pt = given("pt")
        found = pt * (self._data_factor(given) if self.is_data else self._simulated_factor(given, way))
        return np.where(pt >= self.pt_min_gev, found, pt)

    def check(self) -> None:
        """Refuse a file whose corrections are not those of the format.

        Raises:
            CardError: names era, correction and file.
        """
        asked = {True: self.scale, False: self.smearing}
        for is_scale, name in asked.items():
            chooser = self._chooser(name) if name else ""
            known = variations(self.file, name, chooser) if name else frozenset()
            for value in self._asked(name, is_scale=is_scale) if known else ():
                if value not in known:
                    what = unknown_name(f"{chooser} of {name!r}", value, sorted(map(str, known)))
                    raise CardError(f"era {self.era!r}: {what} ({self.file})")
            years = variations(self.file, name, "year") if name else frozenset()
            if years and self.era not in years:
                what = unknown_name(f"year of {name!r}", self.era, sorted(map(str, years)))
                raise CardError(f"era {self.era!r}: {what} ({self.file})")
        if self.smearing and not self._layout(self.smearing).smearing:
            raise CardError(f"era {self.era!r}: {self.smearing!r} of {self.file} holds no smearing.")

    def varies(self, kind: str) -> bool:
        """Whether it knows the uncertainty of the `scale`, or of the `resolution`."""
        return kind == "scale" or bool(self.smearing)

    def _data_factor(self, given: Values) -> Floats:
        name = self._layout(self.scale).scale
        return self._of(self.scale, name, given) if name else np.ones(len(given("pt")))

    def _simulated_factor(self, given: Values, way: LeptonWay) -> Floats:
        width = np.zeros(len(given("pt")))
        if self.smearing:
            layout = self._layout(self.smearing)
            width = self._of(self.smearing, layout.smearing, given)
            sign = {"resolution_up": 1.0, "resolution_down": -1.0}.get(way, 0.0)
            if sign:
                width = np.maximum(width + sign * self._of(self.smearing, layout.smearing_error, given), 0.0)
        factor = 1.0 + width * _gaussian(given("number"))
        return factor * self._scale_factor(given, way) if way.startswith("scale") else factor

    def _scale_factor(self, given: Values, way: LeptonWay) -> Floats:
        """Simulation with the scale moved, over simulation."""
        layout, sign = self._layout(self.scale), 1.0 if way == "scale_up" else -1.0
        if layout.factors:
            return self._of(self.scale, layout.factors[sign < 0.0], given)
        name = self.smearing if layout.errors_with == "smearing" and self.smearing else self.scale
        return np.asarray(1.0 + sign * self._of(name, layout.scale_error, given))

    def _asked(self, name: str, *, is_scale: bool) -> tuple[str, ...]:
        """Values of the correction of the scale or the smearing that are asked for."""
        layout = self._layout(name)
        with_smearing = layout.errors_with == "smearing" and bool(self.smearing)
        if not is_scale:
            return (layout.smearing, layout.smearing_error, *([layout.scale_error] if with_smearing else []))
        asked = (layout.scale, "" if with_smearing else layout.scale_error, *layout.factors)
        return tuple(filter(None, asked))

    def _layout(self, name: str) -> _Layout:
        return _LAYOUTS[self._chooser(name)]

    def _chooser(self, name: str) -> str:
        """Input of a correction that chooses its value."""
        try:
            taken = [str(one.name) for one in correction(self.file, name).inputs]
        except CardError as error:
            raise CardError(f"era {self.era!r}: {error} ({self.file})") from error
        found = next((one for one in taken if one in _LAYOUTS), None)
        strange = [one for one in taken if one not in {*_INPUTS, *_LAYOUTS, "year"}]
        if found is None or strange:
            raise CardError(
                f"era {self.era!r}: correction {name!r} of {self.file} is no scale or smearing of "
                f"electrons: it asks for {', '.join(strange or taken)}."
            )
        return found

    def _of(self, name: str, value: str, given: Values) -> Floats:
        chooser, arguments = self._chooser(name), dict[str, Any]()
        for one in correction(self.file, name).inputs:
            if one.name == chooser:
                arguments[one.name] = value
            elif one.name == "year":
                arguments[one.name] = self.era
            else:
                arguments[one.name] = self._input(_INPUTS[one.name], given).astype(_kind(one))
        return _evaluated(self.era, self.file, name, arguments, len(given("pt")))

    def _input(self, variable: str, given: Values) -> Floats:
        if variable == "run" and not self.is_data:
            return np.ones(len(given("pt")))  # simulation is of no run: CMS' files have it as the first
        values = given(variable.removeprefix("abs_"))
        return np.abs(values) if variable.startswith("abs_") else values


@dataclass(frozen=True)
class MuonCalibration:
    """Scale and resolution of muons; arrays have shape (n_muons,).

    Scale: pT → 1 / (m/pT + q a), by corrections of data and of simulation. Resolution of simulation:
    pT → pT (1 + k σ(pT) x), k = √(k_data² − k_mc²) or 0, σ = p₀ + p₁ pT + p₂ pT² not below 0, and x a number
    of a double-sided Crystal Ball function; a muon that would gain or lose too much stays. Errors: of the
    scale pT² √(σ_m²/pT² + σ_a² + 2 q ρ σ_m σ_a/pT), of the resolution k ± σ_k, with the same x.

    Attributes:
        era: name of the era, for messages.
        file: of correctionlib, `muon_scalesmearing.json.gz`.
        is_data: recorded muons.
        pt_min_gev, pt_max_gev: muons beyond stay as the file has them; above the last, under variations too.

    References:
        CMS MUO, https://gitlab.cern.ch/cms-muonPOG/muonscarekit (scripts/MuonScaRe.py).
    """

    era: str
    file: str
    is_data: bool = False
    pt_min_gev: float = 26.0
    pt_max_gev: float = 200.0

    collection: ClassVar[str] = "Muon"
    flavour: ClassVar[str] = "muon"

    def momenta(self, given: Values, way: LeptonWay = "nominal") -> Floats:
        """Calibrated transverse momenta, GeV.

        Args:
            given: variable → values: pt of the file, eta, phi, charge, n_layers, and `number`, uniform in
                [0, 1).
            way: nominal, or one standard deviation; those of recorded muons are nominal.

        Raises:
            DataError: a correction has no value for a muon.
        """
        pt = given("pt")
        inside = (pt >= self.pt_min_gev) & (pt <= self.pt_max_gev)
        scaled = np.where(inside, self._scaled(given), pt)
        if self.is_data:
            return scaled
        inside &= (scaled >= self.pt_min_gev) & (scaled <= self.pt_max_gev)
        found = np.where(inside, self._smeared(scaled, given, way), scaled)
        if not way.startswith("scale"):
            return found
        error = (1.0 if way == "scale_up" else -1.0) * self._scale_error(found, given)
        return np.where(pt <= self.pt_max_gev, found + error, found)

    def check(self) -> None:
        """Refuse a file without the corrections of the format.

        Raises:
            CardError: names era, correction and file.
        """
        names = [f"{one}_{which}" for one in ("a", "m", "k") for which in ("data", "mc")]
        for name in (*names, "cb_params", "poly_params"):
            try:
                correction(self.file, name)
            except CardError as error:
                raise CardError(f"era {self.era!r}: {error} ({self.file})") from error

    def varies(self, kind: str) -> bool:
        """Whether it knows the uncertainty of the `scale`, or of the `resolution`."""
        return True

    def _scaled(self, given: Values) -> Floats:
        which, at = "data" if self.is_data else "mc", (given("eta"), given("phi"), "nom")
        a, m = self._of(f"a_{which}", *at), self._of(f"m_{which}", *at)
        return np.asarray(1.0 / (m / given("pt") + given("charge") * a))

    def _smeared(self, pt: Floats, given: Values, way: LeptonWay) -> Floats:
        abs_eta, layers = np.abs(given("eta")), given("n_layers")
        k_data, k_mc = (self._of(f"k_{which}", abs_eta, "nom") for which in ("data", "mc"))
        k = np.sqrt(np.maximum(k_data**2 - k_mc**2, 0.0))
        if way.startswith("resolution"):
            sign = 1.0 if way == "resolution_up" else -1.0
            k = np.where(k > 0.0, k + sign * self._of("k_mc", abs_eta, "stat"), 0.0)
        first, second, third = (self._of("poly_params", abs_eta, layers, i) for i in range(3))
        width = np.maximum(first + second * pt + third * pt**2, 0.0)
        mean, sigma, n, alpha = (self._of("cb_params", abs_eta, layers, i) for i in range(4))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            x = mean + sigma * crystal_ball_number(given("number"), alpha=alpha, n=n)
            factor = 1.0 + k * width * x
        # As CMS has it: muons of layers that the file has no shape for, and absurd factors, are not smeared.
        return np.where(np.isfinite(factor) & (factor >= 0.1) & (factor <= 2.0), pt * factor, pt)

    def _scale_error(self, pt: Floats, given: Values) -> Floats:
        at = (given("eta"), given("phi"))
        a, m = self._of("a_mc", *at, "stat"), self._of("m_mc", *at, "stat")
        rho = self._of("m_mc", *at, "rho_stat")
        squared = (m / pt) ** 2 + a**2 + 2.0 * given("charge") * rho * m * a / pt
        return np.asarray(pt**2 * np.sqrt(np.maximum(squared, 0.0)))

    def _of(self, name: str, *inputs: Floats | str | int) -> Floats:
        """A correction, whose inputs the files name differently, in order."""
        taken = correction(self.file, name).inputs
        if len(taken) != len(inputs):
            raise CardError(f"era {self.era!r}: correction {name!r} of {self.file} has {len(taken)} inputs.")
        arguments = {
            one.name: value.astype(_kind(one)) if isinstance(value, np.ndarray) else value
            for one, value in zip(taken, inputs, strict=True)
        }
        n_values = next(len(value) for value in inputs if isinstance(value, np.ndarray))
        return _evaluated(self.era, self.file, name, arguments, n_values)


LeptonCalibration = ElectronCalibration | MuonCalibration


def _gaussian(number: Floats) -> Floats:
    return np.asarray(ndtri(np.maximum(number, 2.0**-53)), np.float64)


def _kind(one: Any) -> type[np.generic]:
    return np.int64 if one.type == "int" else np.float64


def _evaluated(era: str, file: str, name: str, arguments: dict[str, Any], n_values: int) -> Floats:
    try:
        return evaluated_correction(file, name, arguments, n_values)
    except DataError as error:
        raise DataError(f"era {era!r}: {error}") from error
