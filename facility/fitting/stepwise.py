"""The part of the fit that looks at data: control regions predict, steps are shown and logged."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from znought import __version__
from znought.errors import CardError, DataError
from znought.facility.cards.base import Card
from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context, Step
from znought.facility.fitting.opening import controlled, kept_bins, opened, shown, steps_of, without_masked
from znought.facility.fitting.placement import Bins
from znought.facility.fitting.templates import fit_settings, templates
from znought.facility.ntuples.account import lumi_of_data
from znought.facility.results.opened import OpenedBins, Prediction, Unblinding
from znought.facility.results.unblinding_log import LogEntry, logged, read_log
from znought.facility.workspace import Workspace, read_json
from znought.stats.spec import Spec
from znought.stats.templates import RegionTemplates
from znought.stats.unblinding import UnblindingStep
from znought.stats.workspace import build_workspace

__all__ = [
    "Stepped",
    "data_in_steps",
    "known_line",
    "logged_steps",
    "refuse_without_data",
    "shown_before",
]


@dataclass(frozen=True)
class Stepped:
    """What control regions predict, and what the steps have shown."""

    prediction: Prediction | None
    unblinding: Unblinding | None
    notes: tuple[str, ...]


def known_line(results: Path) -> str | None:
    """Digest of the line of the log that the results of an earlier run know; None if they know none."""
    if not results.exists():
        return None
    digest = read_json(results).get("unblinding_log")
    return None if digest is None else str(digest)


def data_in_steps(context: Context[StandardCard], bins: Bins, fitted: tuple[RegionTemplates, ...]) -> Stepped:
    """Steps up to the one that the options name, judged and logged, and what control regions predict.

    Args:
        context: with the card and the step.
        bins: regions of the likelihood with their edges.
        fitted: templates of the fit, which hold data only once all are shown.

    Raises:
        CardError: no step up to this one opens anything.
        DataError: the log of earlier steps is not as it was written.
    """
    card, workspace, upto = context.card, context.workspace, context.options.opened
    log = read_log(workspace.unblinding, known=known_line(workspace.results))
    regions = fitted
    if upto is not None and not context.options.unblind:
        regions = templates(card, workspace, bins, with_data=True).regions
    steps = () if upto is None else steps_of(card, regions, upto)
    kept = kept_bins(card, regions)
    spec = without_masked(build_workspace(shown(regions, steps), fit_settings(card, workspace)), kept)
    found, notes = list[OpenedBins](), list[str]()
    lumi_ifb = card.lumi_ifb
    if upto is not None:
        lumi_ifb = lumi_of_data(card, workspace)
        try:
            found = list(opened(spec, steps, kept))
        except DataError as error:
            notes.append(f"Data are shown up to {upto}, but not compared: {error}")
        notes += [step.text for step in found]
    else:
        notes += shown_before(workspace, log)
    prediction = None
    try:
        prediction = controlled(card, spec, steps, kept, lumi_ifb=lumi_ifb)
    except DataError as error:
        notes.append(f"Control regions alone predict nothing: {error}")
    unblinding = None if upto is None else logged_steps(workspace, upto, steps, found, spec)
    return Stepped(prediction, unblinding, tuple(notes))


def logged_steps(
    workspace: Workspace,
    upto: Step,
    steps: tuple[UnblindingStep, ...],
    found: Sequence[OpenedBins],
    spec: Spec,
) -> Unblinding:
    """The steps as a record, once they are in the log.

    Args:
        workspace: with the log, and the results of an earlier run.
        upto: the last step.
        steps: with the bins that each opened.
        found: what they showed.
        spec: the likelihood with the data that are shown.

    Raises:
        DataError: the log of earlier steps is not as it was written.
    """
    text = json.dumps({"channels": spec["channels"]}, sort_keys=True)
    content = {
        "opened": upto,
        "bins": {step.name: dict(step.bins) for step in steps},
        "found": [step.model_dump(mode="json") for step in found],
        "likelihood": hashlib.sha256(text.encode()).hexdigest(),
        "znought": __version__,
    }
    entry = logged(workspace.unblinding, content, known=known_line(workspace.results))
    return Unblinding(upto=upto, steps=tuple(found), entry=entry.number, sha256=entry.sha256)


def shown_before(workspace: Workspace, log: Sequence[LogEntry]) -> list[str]:
    """One sentence where data were shown before, for a run that shows none."""
    if not log:
        return []
    last = log[-1].content
    return [
        f"Data were shown before, {len(log)} times in all, last up to {last['opened']} on {last['time']} "
        f"({workspace.unblinding.name})."
    ]


def refuse_without_data(card: Card, opened: Step | None) -> None:
    """Raises where data are to be shown, and the card has none.

    Raises:
        CardError: as said.
    """
    if opened and not card.of_kind("data"):
        raise CardError("--unblind: the card has no dataset of kind data to show.")
