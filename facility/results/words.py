"""Names of a card in sentences and tables of the report, as figures write them."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from znought.facility.cards.base import Card
from znought.facility.results.fitted import FitSummary
from znought.plots.labels import (
    feature_label,
    is_variable,
    printed_name,
    printed_names,
    process_label,
    readable,
)
from znought.plots.report import ReportTable

__all__ = ["in_words", "known_names", "tables_in_words"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_WORDS = re.compile(r"[A-Z][a-z]+ ")
"""Labels that are plain words, which are small within a sentence."""
_ENDS = (". ", ": ")
_NORM = "norm_"


def known_names(card: Card, fit: FitSummary | None = None) -> frozenset[str]:
    """What a sentence may name: processes, regions, systematics, variables, and parameters of a fit."""
    names = {*card.processes, *card.regions, *card.variables, *printed_names()}
    if fit is not None:
        names |= {*fit.regions, *fit.pulls}
    return frozenset(names)


def in_words(text: str, names: Collection[str]) -> str:
    """A sentence in which names are written as figures write them; other words stay.

    A name that is the word itself, but for a capital in front, stays too.

    >>> in_words("jes moves yields of top by 2 %, jer mu by 1 %", {"jes", "jer", "top", "mu"})
    'Jet energy scale moves yields of top by 2 %, jet energy resolution μ by 1 %'
    """

    def written(found: re.Match[str]) -> str:
        name = found.group()
        if name not in names:
            return name
        label, before = _label(name), text[: found.start()]
        if "_" not in name and label == name.capitalize():
            return name
        inside = before and not before.endswith(_ENDS)
        return label[0].lower() + label[1:] if inside and _WORDS.match(label) else label

    return _NAME.sub(written, text)


def _label(name: str) -> str:
    if name.startswith(_NORM):
        return f"normalisation of {readable(process_label(name.removeprefix(_NORM)))}"
    return readable(feature_label(name).symbol if is_variable(name) else printed_name(name))


def tables_in_words(tables: Sequence[ReportTable], names: Collection[str]) -> tuple[ReportTable, ...]:
    """The same tables with such names in cells and captions."""
    return tuple(
        replace(
            table,
            header=tuple(in_words(cell, names) for cell in table.header),
            rows=tuple(tuple(in_words(cell, names) for cell in row) for row in table.rows),
            caption=in_words(table.caption, names),
        )
        for table in tables
    )
