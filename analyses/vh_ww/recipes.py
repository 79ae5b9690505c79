"""Recipes of the processes of VH(WW).

Leading-order matrix elements of Pythia 8 at 13 TeV, its default NNPDF2.3 LO set, power showers for the
processes without jets of their own (for single W, Z and H the first emission carries the matrix-element
correction), no multiparton interactions. Not there: gg → ZH and gg → WW (their cross sections may be added to
the quark-initiated processes, with the latter's kinematics), H → ττ, γ* → ττ below 50 GeV, V+γ.
Misidentified leptons are of W + jets and of tt̄ with one prompt lepton, a positive one because Pythia decays
all W bosons of a charge alike. `merged.yaml` adds what Sherpa calculates: Wt, which Pythia lacks, and jets of
matrix elements.
"""

from pathlib import Path
from types import MappingProxyType

from znought.simulation.recipe import PartonFilter, Recipe
from znought.simulation.recipe_file import read_recipes

__all__ = ["RECIPES"]

_STABLE_HIGGS = "25:mayDecay = off"
_STABLE_TAU = "15:mayDecay = off"
_W_TO_QUARKS = ("24:onMode = off", "24:onIfAny = 1 2 3 4 5")
_W_TO_ELECTRON = ("24:onMode = off", "24:onIfAny = 11")
_W_TO_LEPTONS = ("24:onMode = off", "24:onIfAny = 11 13 15")
_W_TO_ELECTRON_OR_QUARKS = ("24:onMode = off", "24:onPosIfAny = 11", "24:onNegIfAny = 1 2 3 4 5")
_Z_TO_QUARKS = ("23:onMode = off", "23:onIfAny = 1 2 3 4 5")
_Z_TO_TAUS = ("23:onMode = off", "23:onIfAny = 15")
_Z_TO_LEPTONS = ("23:onMode = off", "23:onIfAny = 11 13 15")
_Z_TO_TAUS_OR_QUARKS = ("23:onMode = off", "23:onIfAny = 15 1 2 3 4 5")


def _vh(name: str, charge: int) -> Recipe:
    sign = "+" if charge > 0 else "-"
    return Recipe(
        name=name,
        description=f"qq' -> W{sign}H, W -> qq', H -> WW* -> e mu 2nu (also through tau)",
        commands=("HiggsSM:ffbar2HW = on", *_W_TO_QUARKS, _STABLE_HIGGS),
        leptons="higgs_ww",
        w_charge=charge,
    )


_VH_WW = (
    _vh("wplush_qqww", 1),
    _vh("wminush_qqww", -1),
    Recipe(
        name="zh_qqww",
        description="qq -> ZH, Z -> qq, H -> WW* -> e mu 2nu (also through tau); gg -> ZH missing",
        commands=("HiggsSM:ffbar2HZ = on", *_Z_TO_QUARKS, _STABLE_HIGGS),
        leptons="higgs_ww",
    ),
    Recipe(
        name="ggf_ww",
        description="gg -> H (infinite top mass), jets from the shower, H -> WW* -> e mu 2nu",
        commands=("HiggsSM:gg2H = on", _STABLE_HIGGS),
        leptons="higgs_ww",
        parton_filter=PartonFilter(),
    ),
    Recipe(
        name="vbf_ww",
        description="qq -> qqH by WW and ZZ fusion, H -> WW* -> e mu 2nu",
        commands=("HiggsSM:ff2Hff(t:WW) = on", "HiggsSM:ff2Hff(t:ZZ) = on", _STABLE_HIGGS),
        leptons="higgs_ww",
    ),
    Recipe(
        name="ttbar_ll",
        description="tt -> bW bW, W -> lnu, e mu final states (also through tau); Wt missing",
        commands=("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", *_W_TO_ELECTRON),
        leptons="w_pair",
        veto_floor=0.15,
    ),
    Recipe(
        name="ztautau",
        description="qq -> Z/gamma* -> tautau above 50 GeV, jets from the shower, tautau -> e mu 4nu",
        commands=(
            "WeakSingleBoson:ffbar2gmZ = on",
            "PhaseSpace:mHatMin = 50.",
            *_Z_TO_TAUS,
            _STABLE_TAU,
        ),
        leptons="tau_pair",
        parton_filter=PartonFilter(),
        attempts_per_job=100_000,
    ),
    Recipe(
        name="ww_ll",
        description="qq -> WW -> lnu lnu, jets from the shower, e mu final states; gg -> WW missing",
        commands=("WeakDoubleBoson:ffbar2WW = on", *_W_TO_ELECTRON),
        leptons="w_pair",
        parton_filter=PartonFilter(),
    ),
    Recipe(
        name="wz_lll",
        description="qq' -> WZ -> lnu ll with l = e, mu, tau; tau decays of Pythia",
        commands=("WeakDoubleBoson:ffbar2ZW = on", *_W_TO_LEPTONS, *_Z_TO_LEPTONS, "TauDecays:mode = 1"),
        leptons="record",
        parton_filter=PartonFilter(),
    ),
    Recipe(
        name="wz_qqtautau",
        description="qq' -> WZ, W -> qq', Z -> tautau -> e mu 4nu",
        commands=("WeakDoubleBoson:ffbar2ZW = on", *_W_TO_QUARKS, *_Z_TO_TAUS, _STABLE_TAU),
        leptons="tau_pair",
    ),
    Recipe(
        name="zz_qqtautau",
        description="qq -> ZZ, Z -> qq, Z -> tautau -> e mu 4nu",
        commands=(
            "WeakDoubleBoson:ffbar2gmZgmZ = on",
            "WeakZ0:gmZmode = 2",
            *_Z_TO_TAUS_OR_QUARKS,
            _STABLE_TAU,
        ),
        leptons="tau_pair",
        n_taus=2,
    ),
    Recipe(
        name="w_jets",
        description="qq' -> W -> lnu (also through tau), jets from the shower, one of them as a lepton",
        commands=("WeakSingleBoson:ffbar2W = on", *_W_TO_ELECTRON),
        leptons="w",
        # Loses one in ten thousand of those that pass the preselection, and those that need a jet of pile-up.
        parton_filter=PartonFilter(pt_gev=13.0, pt_single_gev=50.0, n_partons=3),
        skim="misidentified",
        attempts_per_job=200_000,
        data_boost=50.0,
    ),
    Recipe(
        name="ttbar_lj",
        description="tt -> bW+ bW-, W+ -> lnu (also through tau), W- -> qq', a jet as a lepton",
        commands=("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", *_W_TO_ELECTRON_OR_QUARKS),
        leptons="w",
        veto_floor=0.15,
        skim="misidentified",
        data_boost=50.0,
    ),
)

_MERGED = read_recipes(Path(__file__).with_name("merged.yaml"))

RECIPES = MappingProxyType({**{entry.name: entry for entry in _VH_WW}, **_MERGED})
"""Recipes by name."""
