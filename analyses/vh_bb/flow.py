"""The flow of VH(bb) in the SMEFT, from ntuples to limits."""

from dataclasses import replace

from znought.analyses.vh_bb.results import read_smeft_results
from znought.analyses.vh_bb.stages import export, limits, measure, plot, score, train, tune
from znought.analyses.vh_bb.summary import smeft_tables
from znought.facility.flow import Flow, Stage
from znought.facility.stages import plot as standard_plot
from znought.facility.stages import referee
from znought.facility.standard import PROCESS, SIMULATE, VALIDATE

__all__ = ["VH_BB"]

_EVENTS = (
    "channels",
    "processes",
    "datasets",
    "regions",
    "training_region",
    "morphing",
    "training",
    "variations",
)
_LEARNING = (*_EVENTS, "network", "trees", "discriminants")
_NAMES = ("label", "title", "energy_tev")
_COLUMNS = ("columns", "normalisation")
_COMPARED = ("training_region", "systematics", "morphing")
_SCORES = (*_COLUMNS, "scores", "boosted")

_STAGES = (
    SIMULATE,
    PROCESS,
    replace(VALIDATE, sections=(*VALIDATE.sections, *_COMPARED)),
    Stage(
        "train",
        train.train,
        ("smeft", *_LEARNING),
        reads=_COLUMNS,
        writes=("models", "boosted"),
        needs="train",
    ),
    Stage(
        "score",
        score.score,
        ("smeft", *_LEARNING),
        reads=(*_COLUMNS, "models"),
        writes=("scores", "explanation"),
        needs="score",
    ),
    Stage(
        "measure",
        measure.measure,
        ("lumi_ifb", "smeft", *_LEARNING),
        reads=_SCORES,
        writes=("significance", "replicates"),
    ),
    Stage(
        "limits",
        limits.set_limits,
        (*_NAMES, "lumi_ifb", "eras", "systematics", "published", "smeft", "weights", *_LEARNING),
        reads=(*_SCORES, "explanation", "substitutes", "ledger", "validation", "significance"),
        writes=("results", "fit", "unblinding"),
        inputs=limits.inputs,
    ),
    Stage(
        "plot",
        plot.plot,
        (
            *_NAMES,
            "lumi_ifb",
            "published",
            "systematics",
            "search",
            "smeft",
            "simulation",
            "eras",
            "weights",
            "plotting",
            "analysis",
            *_LEARNING,
        ),
        reads=(
            *_SCORES,
            "manifest",
            "efficiencies",
            "cutflow",
            "ledger",
            "models",
            "search",
            "results",
            "regions",
            "validation",
            "referee",
            "metrics",
        ),
        writes=("figures", "report"),
        inputs=standard_plot.inputs,
        is_of_analysis=True,
    ),
)

_EXPORT = Stage(
    "export",
    export.export,
    ("lumi_ifb", "export", *_EVENTS),
    reads=_COLUMNS,
    writes=("exported",),
)

_TUNE = Stage(
    "tune",
    tune.tune,
    ("search", "smeft", "published", *_LEARNING),
    reads=_COLUMNS,
    writes=("search",),
    needs="train",
)

_REFEREE = Stage(
    "referee",
    referee.referee_of_events,
    ("lumi_ifb", "features", "eras", "stitched", *_EVENTS),
    reads=(*_COLUMNS, "fileset", "validation", "results"),
    writes=("referee",),
    inputs=referee.inputs,
)

# None is part of a run: what the search finds is put into the card by a person.
VH_BB = Flow(
    stages=_STAGES,
    aside=(_TUNE, _EXPORT, _REFEREE),
    read_results=read_smeft_results,
    tables=smeft_tables,
)
