"""Smallest b-tag discriminant of a b-jet: one value per branch and era, from the experiments' own files."""

from collections.abc import Mapping
from types import MappingProxyType

from znought.errors import CardError, DataError, unknown_name
from znought.processors.corrections import correction
from znought.processors.dialects.layout import Layout
from znought.processors.dialects.topcptoolkit import BTAGS

__all__ = [
    "ANY_ERA",
    "BTAG_FIELDS",
    "ERAS",
    "WORKING_POINTS",
    "btag_branch",
    "check_working_points",
    "file_working_points",
    "tagged_branch",
    "working_point",
]

ANY_ERA = "any"
"""Era of a branch whose working point does not depend on when data were taken."""

# CMS: `deepJet_wp_values` and `particleNet_wp_values`, working point L (10 % light mistag), of the b-tagging
# files of correctionlib for 2016preVFP_UL, 2016postVFP_UL, 2017_UL, 2018_UL and 2022_Summer22.
# ATLAS Open Data 2020: MV2c10 at 85 %, as in atlas-outreach-data-tools' analysis of 13 TeV data; 2025: the
# quantiles 1 to 5 stand for 100, 85, 77, 70 and 60 %. Decisions of its own tool are 0 or 1 (PHYSLITE: 85 %).
# The simulation's own discriminant: 85 %.
WORKING_POINTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "Jet_btagDeepFlavB": {
            "2016preVFP": 0.0508,
            "2016postVFP": 0.0480,
            "2017": 0.0532,
            "2018": 0.0490,
            "2022": 0.0583,
        },
        "Jet_btagPNetB": {"2022": 0.0470},
        "Jet_btagUParTAK4B": {},
        "Jet_btagDiscriminant": {ANY_ERA: 0.15},
        "BTagging_AntiKt4EMPFlowAuxDyn.DL1dv01_pb": {},
        "AnalysisJetsAuxDyn.GN2v01_FixedCutBEff_85_select": {ANY_ERA: 0.5},
        "AnalysisJetsAuxDyn.ftag_select_GN2v01_FixedCutBEff_85": {ANY_ERA: 0.5},
        "AnalysisJetsAuxDyn.DL1dv01_FixedCutBEff_85_select": {ANY_ERA: 0.5},
        "AnalysisJetsAuxDyn.ftag_select_DL1dv01_FixedCutBEff_85": {ANY_ERA: 0.5},
        "jet_MV2c10": {ANY_ERA: 0.1758475},
        "jet_btag_quantile": {ANY_ERA: 1.5},
        **{branch: {ANY_ERA: 0.5} for branch in BTAGS},
    }
)
"""Branch of the b-tag → era → working point; an era that is not there has no value from a public file."""

ERAS = tuple(dict.fromkeys(era for values in WORKING_POINTS.values() for era in values if era != ANY_ERA))
"""Eras that some branch has a working point for."""

# Branch of the b-tag → dialects in which no other stands for it: only these may stand in a card by name.
_DIALECT_BRANCH: Mapping[str, str] = MappingProxyType(
    {
        "nanoaod_v9": "Jet_btagDeepFlavB",
        "nanoaod_v12": "Jet_btagPNetB",
        "simulation": "Jet_btagDiscriminant",
        "physlite": "BTagging_AntiKt4EMPFlowAuxDyn.DL1dv01_pb",
        "atlas_opendata_2020": "jet_MV2c10",
        "atlas_opendata_2025": "jet_btag_quantile",
    }
)
_TAGGERS: Mapping[str, str] = MappingProxyType(
    {
        "Jet_btagDeepFlavB": "deepJet",
        "Jet_btagPNetB": "particleNet",
        "Jet_btagUParTAK4B": "UParTAK4",
    }
)
"""Branch of the b-tag → what CMS' files call its tagger."""
BTAG_FIELDS = ("jet_btag", "btag_pb")
"""Fields of which one holds what a dialect's b-tag is made of."""


def check_working_points(given: Mapping[str, float]) -> None:
    """Refuses working points of a card that no file could take.

    Raises:
        CardError: a key is neither a branch nor a dialect with one b-tag, or names a branch twice.
    """
    named: dict[str, str] = {}
    for key in given:
        branch = _DIALECT_BRANCH.get(key, key)
        if branch not in WORKING_POINTS:
            expected = [*WORKING_POINTS, *_DIALECT_BRANCH]
            raise CardError(f"selection.btag_working_points: {unknown_name('b-tag', key, expected)}")
        if named.setdefault(branch, key) != key:
            raise CardError(f"selection.btag_working_points: {named[branch]} and {key} are the same b-tag.")


def tagged_branch(key: str) -> str:
    """The branch of a b-tag that a card names by it, or by its dialect."""
    return _DIALECT_BRANCH.get(key, key)


def btag_branch(layout: Layout) -> str | None:
    """The branch that a file's b-tag is made of; None where it has none."""
    return next((layout.branches[name] for name in BTAG_FIELDS if name in layout.branches), None)


def file_working_points(file: str, point: str) -> dict[str, float]:
    """Branch of the b-tag → smallest discriminant of a b-jet, of the taggers that a file of CMS knows.

    Args:
        file: `btagging.json.gz`.
        point: working point, such as "L".

    Raises:
        CardError: no such file, no working points in it, or none of this name.
    """
    found: dict[str, float] = {}
    for branch, tagger in _TAGGERS.items():
        try:
            values = correction(file, f"{tagger}_wp_values")
        except CardError:
            continue
        try:
            found[branch] = float(values.evaluate(point))
        except (RuntimeError, IndexError) as error:
            raise CardError(f"{file}: {tagger} has no working point {point!r}.") from error
    if not found:
        correction(file, f"{next(iter(_TAGGERS.values()))}_wp_values")
    return found


def working_point(
    layout: Layout,
    *,
    era: str | None,
    given: Mapping[str, float],
    path: str,
    of_file: Mapping[str, float] = MappingProxyType({}),
) -> float:
    """Smallest discriminant of a b-jet in a file.

    Args:
        layout: which branch holds its b-tags.
        era: of its dataset; None if the card names none.
        given: working points of the card by branch, or by dialect where that has one b-tag: they win.
        of_file: by branch, of the official file that the card names for the era: they come next.
        path: the file, for messages.

    Raises:
        DataError: the branch has none for the era, or several and the dataset names no era.
    """
    branch = next(layout.branches[name] for name in BTAG_FIELDS if name in layout.branches)
    for key, value in given.items():
        if _DIALECT_BRANCH.get(key, key) == branch:
            return float(value)
    if branch in of_file:
        return float(of_file[branch])
    known = WORKING_POINTS.get(branch, {})
    if ANY_ERA in known:
        return known[ANY_ERA]
    cure = f"give selection.btag_working_points: {{{branch}: …}}"
    if not known:
        raise DataError(f"{path}: no public file gives a working point of {branch}: {cure}.")
    if era is None:
        raise DataError(
            f"{path}: the working point of {branch} depends on the era, which the dataset does not name: "
            f"give it `era` (one of {', '.join(known)}), or {cure}."
        )
    if era not in known:
        raise DataError(f"{path}: {unknown_name(f'era of {branch}', era, known)} Or {cure}.")
    return known[era]
