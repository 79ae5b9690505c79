"""The flow of V(qq)H(WW), from ntuples to Z₀."""

from znought.facility import simulate
from znought.facility.flow import Flow, Stage
from znought.facility.vh_ww.results import read_results
from znought.facility.vh_ww.stages import fit, optimise, plot, process, score, train, tune, validate
from znought.facility.vh_ww.summary import report_tables

__all__ = ["VH_WW"]

_LEARNING = ("classes", "features", "processes", "datasets", "network", "training", "boosting")
_INPUTS = ("label", "title", "signal", "features", "processes", "datasets", "variations", "weights")
_STATISTICS = (
    "lumi_ifb",
    "signal",
    "signal_class",
    "signal_region",
    "classes",
    "processes",
    "regions",
    "cut_based",
    "binning",
    "crossfit",
)

_STAGES = (
    Stage("simulate", simulate.simulate, ("datasets", "simulation"), (), inputs=simulate.scale),
    Stage(
        "process",
        process.process,
        ("analysis", "lumi_ifb", "processes", "datasets", "selection", "variations", "weights", "processing"),
        ("znought.processors.vh_ww", "znought.facility.runner", process.__name__),
        after=("simulate",),
        inputs=process.inputs,
    ),
    Stage(
        "validate",
        validate.validate,
        (*_INPUTS, "lumi_ifb", "regions", "signal_region", "likelihood", "validation"),
        (validate.__name__,),
        after=("process",),
        inputs=validate.inputs,
    ),
    Stage(
        "train",
        train.train,
        _LEARNING,
        ("znought.models.training", "znought.models.boosting", train.__name__),
        after=("process",),
    ),
    Stage("score", score.score, _LEARNING, ("znought.models.scoring", score.__name__), after=("train",)),
    Stage(
        "optimise",
        optimise.optimise,
        _STATISTICS,
        ("znought.stats.crossfit", "znought.models.evaluation", optimise.__name__),
        after=("score",),
    ),
    Stage(
        "fit",
        fit.fit,
        ("label", "title", "variations", "weights", "likelihood", *_STATISTICS),
        (fit.__name__,),
        after=("validate", "optimise"),
        inputs=fit.inputs,
    ),
    Stage("plot", plot.plot, ("label", "title"), (plot.__name__,), after=("fit",)),
)

_TUNE = Stage(
    "tune",
    tune.tune,
    (*_LEARNING, "search"),
    ("znought.models.search", "znought.models.training", tune.__name__),
    after=("process",),
)

# The search is not part of a run: what it finds is put into the card by a person.
VH_WW = Flow(stages=_STAGES, aside=(_TUNE,), read_results=read_results, tables=report_tables)
