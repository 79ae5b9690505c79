"""What a card names and its analysis does not know."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from znought.analysis import ERA, Analysis
from znought.errors import unknown_name
from znought.facility.cards.apart import telling

if TYPE_CHECKING:
    from znought.facility.cards.base import Card

__all__ = ["unknown_to"]


def unknown_to(analysis: Analysis, card: "Card") -> list[str]:
    """Every name of a card that its analysis does not know, one line each."""
    variables = analysis.variable_names
    cut_on = (*variables, *(one.name for one in telling(analysis, tuple(card.eras))))
    found = [
        *(f"eras: {ERA} tells them apart, and is a variable's name." for _ in {ERA} & {*variables}),
        *_named("channels", "channel", card.channels, analysis.channels),
        *_named("features", "variable", card.features, variables),
        *_named("plotting.variables", "variable", card.plotting.variables, variables),
        *_named("plotting.axes", "variable", card.plotting.axes, variables),
        *_named("plotting.order", "process", card.plotting.order, card.processes),
    ]
    for sample, name in card.stitched.items():
        found += _named(f"stitched.{sample}", "generator-level variable", [name], analysis.generator)
    for region, cuts in card.regions.items():
        for name in cuts:
            found += _named(f"regions.{region}.{name}", "variable", [name], cut_on)
    return [
        *found,
        *_copied(analysis, card),
        *_calibrated(analysis, card),
        *_luminosities(analysis, card),
        *_sources(analysis, card),
    ]


def _named(place: str, kind: str, names: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    known = [*known]
    return (f"{place}: {unknown_name(kind, name, known)}" for name in names if name not in known)


def _copied(analysis: Analysis, card: "Card") -> Iterator[str]:
    """Copies of columns take the place of those that objects are made of, and are calibrated already."""
    if not card.variations.copies:
        return
    if analysis.columns is not None:
        yield f"variations.copies: analysis {analysis.name!r} makes its own columns, from nominal ones alone."
    for name, era in card.eras.items():
        for key in ("jets", "electrons", "muons"):
            if getattr(era, key) is not None:
                yield f"eras.{name}.{key}: has no place beside variations.copies, which are calibrated."


def _calibrated(analysis: Analysis, card: "Card") -> Iterator[str]:
    if analysis.columns is not None and not analysis.calibrates:
        for name, era in card.eras.items():
            for key in ("jets", "electrons", "muons"):
                if getattr(era, key) is not None:
                    reason = f"analysis {analysis.name!r} makes its columns of {key} as files have them"
                    yield f"eras.{name}.{key}: {reason}."


def _luminosities(analysis: Analysis, card: "Card") -> Iterator[str]:
    """A flow of the analysis's own would leave them out in silence."""
    if not hasattr(card, "lumi_shifts"):
        reason = f"the fit of analysis {analysis.name!r} has no luminosities by era"
        for name, era in card.eras.items():
            if era.lumi_uncertainties:
                yield f"eras.{name}.lumi_uncertainties: {reason}: set them to null."


def _sources(analysis: Analysis, card: "Card") -> Iterator[str]:
    for name, dataset in card.sources.items():
        stitched = {dataset.process, dataset.sample} & {*card.stitched}
        if name not in card.datasets and not stitched and analysis.split is None:
            yield f"datasets.{name}.split: the analysis has no function split(o)."
        if dataset.recipe is not None:
            yield from _named(f"datasets.{name}", "recipe", [dataset.recipe], analysis.recipes)
