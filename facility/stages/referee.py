"""Stage `referee`: a finished output directory → `referee.json`, whether its result is to be believed."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from znought.errors import DataError
from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context
from znought.facility.events.sample import read_sample
from znought.facility.referee.counting import common_checks, counting_checks
from znought.facility.referee.likelihood import likelihood_checks
from znought.facility.referee.scores import score_checks
from znought.facility.referee.significance import significance_checks
from znought.facility.referee.verdicts import write_verdicts
from znought.facility.results.standard import read_results
from znought.stats.referee.record import Check, not_applicable

__all__ = ["checks_of", "inputs", "referee", "referee_of_events"]

ABOUT = 26
"""Checks of an analysis with network and fit, for the length of the bar."""


def inputs(context: Context[StandardCard]) -> object:
    """Beyond the card: how thorough the referee is."""
    return context.options.thorough


def referee(context: Context[StandardCard]) -> Iterable[Path]:
    """Writes `referee.json`."""
    checks = []
    with context.reporter.bar("judging") as advance:
        for check in checks_of(context):
            checks.append(check)
            advance(len(checks), max(ABOUT, len(checks)), check.name)
        advance(len(checks), len(checks), "")
    write_verdicts(context.workspace, checks, thorough=context.options.thorough)
    return [context.workspace.referee]


def referee_of_events(context: Context[Any]) -> Iterable[Path]:
    """Writes `referee.json` for an analysis with a flow of its own, whose events alone are judged."""
    checks = list(_attempted("counting", lambda: common_checks(context)))
    reason = "the analysis has a flow of its own, and no check of this kind"
    topics = ("scores", "significance", "likelihood")
    checks += [not_applicable(name, f"all checks of {name}", reason) for name in topics]
    write_verdicts(context.workspace, checks, thorough=context.options.thorough)
    return [context.workspace.referee]


def checks_of(context: Context[StandardCard]) -> Iterator[Check]:
    """Every check, one after another; one that breaks off fails with the reason."""
    card, workspace = context.card, context.workspace
    results = read_results(workspace.results)
    try:
        sample = read_sample(card, workspace, kind="simulation")
    except DataError as error:
        yield _broken("events", error)
        return
    yield from _attempted("counting", lambda: counting_checks(context, sample, results))
    yield from _attempted("scores", lambda: score_checks(card, workspace))
    yield from _attempted("significance", lambda: significance_checks(card, sample, results))
    thorough = context.options.thorough
    yield from _attempted(
        "likelihood", lambda: likelihood_checks(card, workspace, results, thorough=thorough)
    )


def _attempted(what: str, checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """The checks of one topic, and a failed one in the place of those that could not be finished."""
    try:
        yield from checks()
    except DataError as error:
        yield _broken(what, error)


def _broken(what: str, error: DataError) -> Check:
    return Check(
        name=f"{what} finished",
        tested=f"whether all checks of {what} can be worked out",
        verdict="fail",
        measured=str(error),
        advice="Mend what the message names; the checks behind it were not made.",
    )
