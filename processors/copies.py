"""Systematic copies of columns, as ATLAS' common CP algorithms write them.

Each column `<base>_NOSYS` that a systematic changes stands in the tree once more as `<base>_<systematic>`,
such as `jet_pt_JET_JER_EffectiveNP_1__1up`; what it does not change has no copy.

References:
    TopCPToolkit, https://topcptoolkit.docs.cern.ch/ (docs/starting/running_local.md and docs/faq/index.md of
    gitlab.cern.ch/atlasphys-top/reco/TopCPToolkit); FastFrames, docs/config.md of
    gitlab.cern.ch/atlas-amglab/fastframes, which takes columns without a copy from `_NOSYS` as well.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from znought.errors import CardError

__all__ = [
    "GENERATED",
    "NOSYS",
    "Copied",
    "Copies",
    "Side",
    "Systematic",
    "chosen",
    "copies_in",
    "generated_copy",
    "matching",
    "nominal_branch",
    "systematics_of",
    "weight_columns",
]

Side = Literal["up", "down"]
Copies = Mapping[str, Mapping[str, str]]
"""Systematic with its side, as the tree calls it → nominal branch → the copy of it."""
NOSYS = "_NOSYS"
"""End of the name of a column that systematics may change."""
_WEIGHT = "weight_mc"
GENERATED = _WEIGHT + NOSYS
"""The generator's weight."""
_SIDES: Mapping[str, Side] = {"__1up": "up", "__1down": "down"}


@dataclass(frozen=True)
class Systematic:
    """One systematic that a tree has copies of columns for.

    Attributes:
        name: without the side.
        sides: side → name with it; a systematic without sides is called as `up` is.
        is_generated: whether it changes the generator's weight, and with it the sum of weights.
    """

    name: str
    sides: Mapping[Side, str]
    is_generated: bool


def nominal_branch(base: str, branches: Collection[str]) -> str | None:
    """The branch of a column without systematics: `<base>_NOSYS`, or `<base>` where nothing changes it.

    >>> [nominal_branch(base, {"el_pt_NOSYS", "el_eta"}) for base in ("el_pt", "el_eta", "el_phi")]
    ['el_pt_NOSYS', 'el_eta', None]
    """
    return next((name for name in (base + NOSYS, base) if name in branches), None)


def copies_in(branches: Collection[str]) -> Copies:
    """The copies of a tree, by systematic; of several bases that a name begins with, the longest is its.

    >>> copies_in({"el_pt_NOSYS", "el_eta", "el_pt_EG_SCALE_ALL__1up"})
    {'EG_SCALE_ALL__1up': {'el_pt_NOSYS': 'el_pt_EG_SCALE_ALL__1up'}}
    """
    bases = {name.removesuffix(NOSYS) for name in branches if name.endswith(NOSYS)}
    found: dict[str, dict[str, str]] = {}
    for name in branches:
        base = "" if name.endswith(NOSYS) else name
        while (base := base.rpartition("_")[0]) and base not in bases:
            pass
        if base:
            found.setdefault(name[len(base) + 1 :], {})[base + NOSYS] = name
    return found


def systematics_of(copies: Copies) -> dict[str, Systematic]:
    """The systematics of some copies, by name in alphabetical order.

    >>> copies = dict.fromkeys(("JET_A__1up", "JET_A__1down", "MET_B"), {})
    >>> {name: dict(one.sides) for name, one in systematics_of(copies).items()}
    {'JET_A': {'up': 'JET_A__1up', 'down': 'JET_A__1down'}, 'MET_B': {'up': 'MET_B'}}
    """
    sides: dict[str, dict[Side, str]] = {}
    for systematic in sorted(copies, reverse=True):
        end = next((end for end in _SIDES if systematic.endswith(end)), "")
        sides.setdefault(systematic.removesuffix(end), {})[_SIDES.get(end, "up")] = systematic
    generated = {name for name in sides if any(GENERATED in copies[one] for one in sides[name].values())}
    return {name: Systematic(name, sides[name], name in generated) for name in sorted(sides)}


def generated_copy(systematic: str) -> str:
    """The branch of the generator's weight under one of its systematics, such as `GEN_muR05`."""
    return f"{_WEIGHT}_{systematic}"


def weight_columns(branches: Collection[str]) -> tuple[str, ...]:
    """Columns of events that may multiply the generator's weight: weights and scale factors.

    >>> weight_columns({"weight_mc_NOSYS", "weight_pileup_NOSYS", "globalTriggerEffSF_NOSYS", "jet_pt_NOSYS"})
    ('globalTriggerEffSF', 'weight_pileup')
    """
    bases = (name.removesuffix(NOSYS) for name in branches if name.endswith(NOSYS) and name != GENERATED)
    return tuple(sorted(name for name in bases if name.startswith(("weight_", "globalTriggerEffSF"))))


@dataclass(frozen=True)
class Copied:
    """A systematic of the ntuples that the card asks for.

    Attributes:
        name: without the side.
        sides: side → name as the ntuples call it.
        moves: whether it moves objects or flags, and not weights alone.
    """

    name: str
    sides: Mapping[Side, str]
    moves: bool

    @property
    def variations(self) -> dict[str, str]:
        """Variation, such as `JET_Pileup_RhoTopology_up`, → the systematic with its side."""
        return {f"{self.name}_{side}": systematic for side, systematic in self.sides.items()}


def matching(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Names that some patterns take, in order; a later pattern that begins with "!" takes out again.

    >>> matching(["GEN_a", "JET_b", "MET_c"], ["*", "!GEN_*"])
    ['JET_b', 'MET_c']
    """
    last = {
        name: [pattern for pattern in patterns if fnmatchcase(name, pattern.removeprefix("!"))][-1:]
        for name in names
    }
    return [name for name, taking in last.items() if taking and not taking[0].startswith("!")]


def chosen(copies: Copies, patterns: Sequence[str], one_sided: Sequence[str]) -> dict[str, Systematic]:
    """The systematics of a tree that a card names, by name.

    Args:
        copies: of the tree.
        patterns: names with wildcards; one that begins with "!" takes out again.
        one_sided: those that have one side alone.

    Raises:
        CardError: a systematic changes the generator's weight, or has one side and the card does not say so.
    """
    found, every = {}, systematics_of(copies)
    for name in matching(every, patterns):
        systematic = every[name]
        if systematic.is_generated:
            raise CardError(
                f"variations.copies: {name} changes the generator's weight, and with it the sum of weights: "
                f'leave it out ("!{name}"), and name it in a set of `theory` that has copies.'
            )
        if len(systematic.sides) == 1 and not any(fnmatchcase(name, one) for one in one_sided):
            (only,) = systematic.sides.values()
            raise CardError(
                f"variations.copies: {name} has one side alone, {only}: name it in variations.one_sided, or "
                f'leave it out ("!{name}").'
            )
        found[name] = systematic
    return found
