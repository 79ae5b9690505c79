"""The flow of VH(bb) in the SMEFT, from ntuples to limits."""

from znought.facility import simulate
from znought.facility.flow import Flow, Stage
from znought.facility.vh_bb.results import read_smeft_results
from znought.facility.vh_bb.stages import export, limits, measure, plot, process, score, train, tune
from znought.facility.vh_bb.summary import smeft_tables

__all__ = ["VH_BB"]

_EVENTS = ("channels", "processes", "datasets", "regions", "training_region", "morphing")
_LEARNING = (*_EVENTS, "network", "training", "trees", "discriminants", "smeft")

_STAGES = (
    Stage("simulate", simulate.simulate, ("datasets", "simulation"), (), inputs=simulate.scale),
    Stage(
        "process",
        process.process,
        ("analysis", "channels", "lumi_ifb", "processes", "datasets", "selection", "processing"),
        ("znought.processors.vh_bb", "znought.facility.runner", process.__name__),
        after=("simulate",),
        inputs=process.inputs,
    ),
    Stage("train", train.train, _LEARNING, (train.__name__,), after=("process",)),
    Stage("score", score.score, _LEARNING, (score.__name__,), after=("train",)),
    Stage(
        "measure",
        measure.measure,
        ("lumi_ifb", *_LEARNING),
        (measure.__name__,),
        after=("score",),
    ),
    Stage(
        "limits",
        limits.set_limits,
        ("label", "title", "lumi_ifb", "systematics", "published", *_LEARNING),
        (limits.__name__,),
        after=("measure",),
    ),
    Stage("plot", plot.plot, ("label", "title", "published"), (plot.__name__,), after=("limits",)),
)

_EXPORT = Stage(
    "export",
    export.export,
    ("lumi_ifb", "training", "export", *_EVENTS),
    (export.__name__,),
    after=("process",),
)

_TUNE = Stage(
    "tune",
    tune.tune,
    (*_LEARNING, "search"),
    ("znought.models.search", "znought.models.training", tune.__name__),
    after=("process",),
)

# Neither is part of a run: what the search finds is put into the card by a person.
VH_BB = Flow(stages=_STAGES, aside=(_TUNE, _EXPORT), read_results=read_smeft_results, tables=smeft_tables)
