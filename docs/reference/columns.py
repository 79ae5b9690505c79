"""Columns of the parquet files: those of every analysis, and the variables of the shipped ones."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from reference.documented import table
from znought.analysis import CHANNEL, RESERVED, Variable
from znought.facility.cards.finding import find_analysis, shipped
from znought.facility.events.store import IDENTITY
from znought.models.folds import PARTS

__all__ = ["columns"]

BOTH, COLUMNS, SCORES = "`columns/`, `scores/`", "`columns/`", "`scores/`"
WHERE = {
    "run": (BOTH, "uint32", "identity; 0 where the format has none"),
    "luminosityBlock": (BOTH, "uint32", "identity; 0 where the format has none"),
    "event": (BOTH, "uint64", "identity"),
    "response": (BOTH, "uint8", "number of the detector response of one generated event, from 0"),
    "gen_weight": (
        COLUMNS,
        "float64",
        "generator weight times scale factors, not yet normalised: times `scale` of "
        "`columns/normalisation.json` it is the number of expected events. 1 in data",
    ),
    "event_weight": (
        SCORES,
        "float64",
        "expected events at the card's `lumi_ifb`, grown where a part of the sample serves the search alone",
    ),
    "fold": (
        SCORES,
        "int8",
        "fold of the event in the first repeat: the network of it has not seen the event",
    ),
}
MORE = {
    "gen_weight_NAME_up": (
        COLUMNS,
        "float64",
        "weight with a scale factor moved; `event_weight_NAME_up` in `scores/`",
    ),
    CHANNEL: (COLUMNS, "float64", "place of the event's channel among the analysis's channels, from 0"),
    "part": (
        SCORES,
        "int8",
        "what it serves: " + ", ".join(f"{number} {name}" for number, name in enumerate(PARTS)),
    ),
    "score_CLASS": (
        SCORES,
        "float32",
        "output of the network of a class: mean over repeats of networks that have not seen the event",
    ),
    "VARIABLE": (COLUMNS, "float64", "a variable of the analysis, in its unit; `undefined` stands for none"),
}


def columns() -> str:
    """The columns of every analysis, then the variables of each that is shipped."""
    unknown = ({*RESERVED, *IDENTITY}) ^ set(WHERE)
    assert not unknown, f"columns without a description: {unknown}"
    rows = [(f"`{name}`", *entry) for name, entry in (WHERE | MORE).items()]
    parts = [table(("column", "in", "type", "meaning"), rows)]
    for name in shipped():
        found = find_analysis(name, Path()).analysis
        parts += [f"## Variables of `{name}`", table(_HEAD, list(_rows(found.variables)))]
    return "\n\n".join(parts)


_HEAD = ("column", "written as", "unit", "bins", "undefined")


def _rows(variables: Iterable[Variable]) -> Iterator[tuple[str, ...]]:
    for one in variables:
        bins = ", ".join(f"{edge:g}" for edge in one.edges)
        if one.bins is not None:
            bins = "integer" if one.bins == "integer" else "{} from {:g} to {:g}".format(*one.bins)
        undefined = "" if one.undefined is None else f"{one.undefined:g}"
        label = re.sub(r"\$([^$]+)\$", r"{math}`\1`", one.label)
        yield f"`{one.name}`", label, one.unit, bins, undefined
