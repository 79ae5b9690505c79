"""The standard flow, from ntuples to Z₀: which stages a card asks for, and what each of them sees."""

from collections.abc import Iterable
from dataclasses import replace

from znought.facility.cards.standard import StandardCard
from znought.facility.cards.table import TableCard
from znought.facility.flow import Flow, Stage
from znought.facility.learning import brought
from znought.facility.results.standard import read_results
from znought.facility.results.summary import report_tables
from znought.facility.stages import (
    efficiency,
    fake_leptons,
    fit,
    optimise,
    plot,
    process,
    referee,
    score,
    simulate,
    summarise,
    table,
    train,
    tune,
    validate,
)

__all__ = ["EFFICIENCY", "PROCESS", "SIMULATE", "VALIDATE", "standard_flow"]

_EVENTS = ("processes", "datasets", "regions")
_COLUMNS = ("columns", "normalisation")
_CLASSES = ("signal", "signal_class", "classes", "network", "model", "training")
_SIGNAL = (
    "lumi_ifb",
    "signal_region",
    "cut_based",
    "discriminants",
    "binning",
    "crossfit",
    *_CLASSES,
)
_NAMES = ("label", "title", "energy_tev")
_COMPARED = (*_EVENTS, *_NAMES, "lumi_ifb", "features", "variations", "weights", "signal", "signal_region")
_READ = (
    "lumi_ifb",
    "eras",
    "processes",
    "datasets",
    "stitched",
    "channels",
    "selection",
    "variations",
    "weights",
    "theory",
    "processing",
    "fake_leptons",
)

SIMULATE = Stage(
    "simulate",
    simulate.simulate,
    ("datasets", "processes", "simulation", "stitched"),
    writes=("ntuples", "fileset"),
    inputs=simulate.scale,
    is_of_analysis=True,
    needs="simulate",
)
EFFICIENCY = Stage(
    "efficiency",
    efficiency.measure,
    _READ,
    reads=("ntuples", "fileset"),
    writes=("efficiencies",),
    inputs=efficiency.inputs,
    is_of_analysis=True,
    needs="process",
)
PROCESS = Stage(
    "process",
    process.process,
    _READ,
    reads=("ntuples", "fileset", "efficiencies"),
    writes=(*_COLUMNS, "substitutes", "cutflow", "ledger", "hists"),
    inputs=process.inputs,
    is_of_analysis=True,
    needs="process",
)
_FAKE_LEPTONS = Stage(
    "fake_leptons",
    fake_leptons.estimate,
    (*_EVENTS, "lumi_ifb", "eras", "signal_region", "channels", "fake_leptons"),
    reads=(*_COLUMNS, "ledger"),
    writes=("columns", "fake_leptons"),
)
_TABLE = Stage(
    "process",
    table.take_table,
    ("lumi_ifb", "processes", "datasets", "table"),
    writes=(*_COLUMNS, "substitutes", "cutflow", "ledger"),
    inputs=table.inputs,
)
VALIDATE = Stage(
    "validate",
    validate.validate,
    (*_COMPARED, "channels", "eras", "likelihood", "validation", "simulation"),
    reads=(*_COLUMNS, "ledger"),
    writes=("regions", "validation", "figures"),
    inputs=validate.inputs,
)
_TRAIN = Stage(
    "train",
    train.train,
    ("processes", "datasets", "features", "boosting", *_CLASSES),
    reads=_COLUMNS,
    writes=("models", "boosted"),
    needs="train",
)
_SCORE = Stage(
    "score",
    score.score,
    ("processes", "datasets", "features", *_CLASSES),
    reads=(*_COLUMNS, "models"),
    writes=("scores", "explanation"),
    needs="score",
)
_TAKE = Stage(
    "train",
    brought.take_model,
    ("classes", "model"),
    writes=("models",),
    inputs=brought.inputs,
)
_SCORE_BROUGHT = Stage(
    "score",
    brought.score_brought,
    ("processes", "datasets", "features", *_CLASSES),
    reads=(*_COLUMNS, "models"),
    writes=("scores", "explanation"),
)
_OPTIMISE = Stage(
    "optimise",
    optimise.optimise,
    (*_EVENTS, *_SIGNAL),
    reads=(*_COLUMNS, "scores", "boosted"),
    writes=("binning", "evaluation"),
)
_FIT = Stage(
    "fit",
    fit.fit,
    (
        *_EVENTS,
        *_SIGNAL,
        *_NAMES,
        "eras",
        "variations",
        "weights",
        "theory",
        "likelihood",
        "published_z0",
        "fake_leptons",
    ),
    reads=(
        *_COLUMNS,
        "substitutes",
        "ledger",
        "scores",
        "binning",
        "evaluation",
        "regions",
        "validation",
        "fake_leptons",
    ),
    writes=("results", "fit", "unblinding"),
    inputs=fit.inputs,
)
_SUMMARISE = Stage(
    "summarise",
    summarise.summarise,
    (*_EVENTS, *_SIGNAL, *_NAMES, "eras", "fake_leptons"),
    reads=(*_COLUMNS, "substitutes", "ledger", "regions", "validation", "fake_leptons"),
    writes=("results",),
)
_REFEREE = Stage(
    "referee",
    referee.referee,
    (
        *_EVENTS,
        *_SIGNAL,
        "variations",
        "weights",
        "theory",
        "likelihood",
        "features",
        "channels",
        "eras",
        "stitched",
        "fake_leptons",
    ),
    reads=(
        *_COLUMNS,
        "fileset",
        "ledger",
        "models",
        "scores",
        "boosted",
        "binning",
        "regions",
        "validation",
        "results",
        "fit",
    ),
    writes=("referee",),
    inputs=referee.inputs,
)
_PLOT = Stage(
    "plot",
    plot.plot,
    (
        *_EVENTS,
        *_SIGNAL,
        *_NAMES,
        "simulation",
        "search",
        "features",
        "channels",
        "eras",
        "weights",
        "fake_leptons",
        "likelihood",
        "plotting",
        "analysis",
    ),
    reads=(
        *_COLUMNS,
        "manifest",
        "efficiencies",
        "fake_leptons",
        "cutflow",
        "ledger",
        "models",
        "scores",
        "boosted",
        "explanation",
        "search",
        "regions",
        "validation",
        "results",
        "referee",
        "metrics",
    ),
    writes=("figures", "report"),
    inputs=plot.inputs,
    is_of_analysis=True,
)
_TUNE = Stage(
    "tune",
    tune.tune,
    (*_EVENTS, *_SIGNAL, "features", "search", "boosting"),
    reads=_COLUMNS,
    writes=("search",),
    needs="train",
)


def standard_flow(card: StandardCard, extra: Iterable[Stage] = ()) -> Flow:
    """The stages that a card asks for: training where it has a network, bins and fit where it has a signal.

    Args:
        card: of an analysis that follows the standard flow.
        extra: stages of the analysis's own, before the figures.
    """
    stages = [_TABLE if isinstance(card, TableCard) else PROCESS, VALIDATE]
    if not isinstance(card, TableCard):
        stages.insert(0, SIMULATE)
    if card.fake_leptons is not None:
        stages.insert(-1, _FAKE_LEPTONS)
    if card.network is not None:
        stages += [_TRAIN, _SCORE]
    elif card.model is not None:
        stages += [_TAKE, _SCORE_BROUGHT]
    fitted = replace(_FIT, is_of_analysis=card.template_change is not None)
    stages += [_OPTIMISE, fitted] if card.signal is not None else [_SUMMARISE]
    # The search is not part of a run: what it finds is put into the card by a person. Nor is the referee.
    judged = replace(_REFEREE, is_of_analysis=fitted.is_of_analysis)
    aside = (*([_TUNE] if card.network is not None else []), judged)
    return Flow((*stages, *extra, _PLOT), aside, read_results, report_tables)
