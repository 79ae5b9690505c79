"""A card whose systematics are correlated across eras in another way."""

from collections.abc import Callable
from dataclasses import replace

from znought.facility.cards.standard import StandardCard
from znought.facility.fitting.templates import apart_by_era
from znought.stats.systematics import Axis, SystematicConfig

__all__ = ["other_correlations"]


def other_correlations(card: StandardCard) -> dict[str, StandardCard]:
    """How systematics are correlated → the card with it, where that is not how it has them.

    "apart" has a parameter in each era for every systematic that is varied through the chain, "together" one
    in all eras. Luminosities stay as the experiment has them, and generator weights know no era. Nothing
    where simulation is not of two eras.
    """
    eras = {card.datasets[name].era for name in card.of_kind("simulation")}
    if len(eras) < 2 or None in eras:
        return {}
    by_default = apart_by_era(card)
    given = card.likelihood.workspace.systematics
    stated = {
        name: given.get(name, SystematicConfig(decorrelate=("era",) if name in by_default else ()))
        for name in dict.fromkeys((*card.varied, *given))
    }

    def changed(axes: Callable[[str, tuple[Axis, ...]], tuple[Axis, ...]]) -> StandardCard | None:
        found = {name: replace(one, decorrelate=axes(name, one.decorrelate)) for name, one in stated.items()}
        if found == stated:
            return None
        workspace = replace(card.likelihood.workspace, systematics=found)
        likelihood = card.likelihood.model_copy(update={"workspace": workspace})
        return card.model_copy(update={"likelihood": likelihood})

    def apart(name: str, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        return (*axes, "era") if name in card.varied and "era" not in axes else axes

    def together(name: str, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        return tuple(axis for axis in axes if axis != "era")

    cards = {"all eras together": changed(together), "each era apart": changed(apart)}
    return {name: other for name, other in cards.items() if other is not None}
