"""What `znought check` prints: mistakes, what the functions make of some events, and what a run would do."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from znought.errors import ZnoughtError
from znought.facility.cards.checking import FEW_EVENTS, Report, check_card
from znought.facility.cards.reading import card_class, named_analysis, read_content

__all__ = ["Printed", "printed_check", "printed_schema"]


@dataclass(frozen=True)
class Printed:
    """Lines for a terminal, and the exit status."""

    text: tuple[str, ...]
    status: int


def printed_schema(path: Path) -> Printed:
    """The JSON schema of a card of the analysis that it names."""
    analysis = named_analysis(read_content(path), path.parent).analysis
    schema = card_class(analysis).model_json_schema(by_alias=True)
    return Printed((json.dumps(schema, indent=1, ensure_ascii=False),), 0)


def printed_check(path: Path, output: Path, *, whole_chunk: bool) -> Printed:
    """Every mistake of a card, or what a run of it would do; status 1 where there is a mistake.

    Args:
        path: of the card.
        output: directory of a run, for what still holds.
        whole_chunk: try the functions on a whole chunk of each dataset.
    """
    report = check_card(path, n_events=100_000 if whole_chunk else FEW_EVENTS)
    if report.problems:
        count = f"{len(report.problems)} mistake{'s' if len(report.problems) > 1 else ''}"
        return Printed((*(f"{path}: {problem}" for problem in report.problems), count), 1)
    return Printed((*_eras(report), *_tried(report), *_stages(report, output)), 0)


def _eras(report: Report) -> Iterator[str]:
    """Each era as it stands once presets are resolved."""
    for name, era in getattr(report.card, "eras", {}).items():
        values = era.model_dump(mode="json", exclude_defaults=True)
        yield f"era {name}: {json.dumps(values, ensure_ascii=False)}"


def _tried(report: Report) -> Iterator[str]:
    for name, text in (report.tried or {}).items():
        yield f"{name}: {text}"


def _stages(report: Report, output: Path) -> Iterator[str]:
    # A mistake in the card itself is told without the stages and all that they import.
    from znought.facility.context import Context, RunOptions
    from znought.facility.pipeline import standing, whole
    from znought.facility.progress import Silent
    from znought.facility.workspace import Workspace

    assert report.card is not None
    assert report.found is not None

    def cluster() -> NoReturn:
        raise ZnoughtError("A check opens no cluster.")

    context = Context(
        report.card,
        Workspace(output),
        RunOptions(),
        Silent(),
        cluster,
        report.found,
    )
    for stage, holds in standing(context, whole(context)).items():
        yield f"{stage}: {'still valid' if holds else 'to be done'}"
