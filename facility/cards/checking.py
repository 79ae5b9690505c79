"""Everything that is wrong with a card, at once: by line, key and nearest valid name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml
from pydantic import ValidationError

from znought.analysis import Analysis
from znought.errors import CardError, ZnoughtError, unknown_name
from znought.facility.cards.base import BaseCard, Card
from znought.facility.cards.corrections import correction_problems
from znought.facility.cards.existing import ProcessorCard, made_processor
from znought.facility.cards.finding import Found
from znought.facility.cards.reading import (
    bound,
    card_class,
    explained,
    named_analysis,
    read_content,
    truths_as_numbers,
)
from znought.facility.ntuples.fileset import Fileset, fileset_of_dataset
from znought.simulation.sherpa.installed import check_installed

if TYPE_CHECKING:
    from znought.facility.ntuples.attempt import Processor
    from znought.processors.dialects.files import FileSummary
    from znought.processors.result import DatasetResult

__all__ = ["Problem", "Report", "check_card"]

FEW_EVENTS = 200


@dataclass(frozen=True)
class Problem:
    """One mistake.

    Attributes:
        line: of the key in the card, from 1; None where no line is to blame.
        text: key, what was expected and what came.
    """

    line: int | None
    text: str

    def __str__(self) -> str:
        return self.text if self.line is None else f"line {self.line}: {self.text}"


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        problems: in the order of the card.
        card, found: the card and its analysis, where they can be read.
        tried: dataset → what the functions made of some of its events.
    """

    problems: tuple[Problem, ...]
    card: BaseCard | None = None
    found: Found | None = None
    tried: Mapping[str, str] | None = None


def check_card(path: Path, *, n_events: int = FEW_EVENTS) -> Report:
    """Reads a whole card and tries the analysis's functions on a few events of every dataset.

    Args:
        path: of the card.
        n_events: most events of each dataset that the functions see.
    """
    try:
        content = read_content(path)
        found = named_analysis(content, path.parent)
    except CardError as error:
        return Report((Problem(None, str(error)),))
    lines = _lines(path)
    card, texts = _read(content, found.analysis, path)
    if card is None or texts:
        return Report(tuple(_placed(lines, text) for text in texts), card, found)
    tried: dict[str, str] = {}
    texts = [*correction_problems(card)] if isinstance(card, Card) else []
    for name in () if texts else card.sources:
        try:
            tried[name] = (
                _tried_processor(card, found, name, n_events)
                if isinstance(card, ProcessorCard)
                else _tried(cast(Card, card), found.analysis, name, n_events)
            )
        except ZnoughtError as error:
            texts.append(f"datasets.{name}: {str(error).removeprefix(f'datasets.{name}: ')}")
    return Report(tuple(_placed(lines, text) for text in texts), card, found, tried)


def _read(content: dict[str, Any], analysis: Analysis, path: Path) -> tuple[BaseCard | None, list[str]]:
    """The card as far as it can be read, and its mistakes."""
    kind = card_class(analysis)
    try:
        card = kind.model_validate(content)
    except ValidationError as error:
        return None, [*(explained(item, kind) for item in error.errors()), *_unknown_names(content, analysis)]
    except CardError as error:
        return None, [str(error)]
    problems = [*truths_as_numbers(content, card), *card.problems(analysis)]
    if problems:
        return card, problems
    try:
        return bound(card, analysis, path.parent), []
    except ZnoughtError as error:
        return card, [str(error)]


def _unknown_names(content: Mapping[str, Any], analysis: Analysis) -> Iterator[str]:
    """Variables that a card which cannot be read as a whole names, and the analysis does not know."""
    regions, features = content.get("regions"), content.get("features")
    named = {f"regions.{name}": cuts for name, cuts in regions.items()} if isinstance(regions, dict) else {}
    for place, names in {**named, "features": features}.items():
        for name in names if isinstance(names, dict | list) else ():
            if name not in analysis.variable_names:
                yield f"{place}.{name}: {unknown_name('variable', name, analysis.variable_names)}"


def _tried(card: Card, analysis: Analysis, name: str, n_events: int) -> str:
    """What the functions make of the first events of a dataset.

    Raises:
        ZnoughtError: a file that cannot be read, a missing sum of weights, a mistake in a function.
    """
    # A mistake in the card itself is told without the libraries that read events.
    from znought.processors.dialects.files import inspect_file

    dataset = card.sources[name]
    if not dataset.files:
        return _to_be_simulated(analysis, dataset.recipe) if dataset.recipe else "no files"
    fileset = fileset_of_dataset(card, name)
    summaries = [inspect_file(path, tree=tree) for path, tree in fileset[name]["files"].items()]
    is_data = bool(fileset[name]["metadata"]["is_data"])
    if not is_data and dataset.generated_sumw is None:
        for summary in summaries:
            if summary.sums is None:
                raise CardError(
                    f"{summary.path} keeps no sum of generated weights: give generated_sumw, the sum over "
                    "all generated events of the dataset."
                )
    filled = [summary for summary in summaries if summary.n_events]
    if not filled:
        return f"{_counted(summaries)} without events"
    selected = _selected(card, analysis, fileset, name, filled[0], n_events)
    total = sum(summary.n_events for summary in summaries)
    return f"{_counted(summaries)}, {total:,} events ({summaries[0].dialect}); {selected}"


def _counted(summaries: Sequence[object]) -> str:
    return f"{len(summaries)} file{'s' if len(summaries) != 1 else ''}"


def _to_be_simulated(analysis: Analysis, recipe: str) -> str:
    """That its events are to be made.

    Raises:
        CardError: the generator of the recipe is not installed.
    """
    check_installed(analysis.recipes[recipe])
    return f"to be simulated ({recipe})"


def _selected(
    card: Card, analysis: Analysis, fileset: Fileset, name: str, summary: "FileSummary", n_events: int
) -> str:
    """Events that pass among the first of a file."""
    from znought.processors.processor import AnalysisProcessor

    stop = min(n_events, summary.n_events)
    result = _first_events(
        AnalysisProcessor(analysis.for_workers, card.request), fileset, name, summary, stop
    )
    passed = sum(held.cutflows["nominal"].counts[-1] for held in result.channels.values() if held.cutflows)
    return f"{passed} of the first {stop} pass"


def _placed(lines: Mapping[str, int], text: str) -> Problem:
    """A mistake with the line of the longest key that it begins with."""
    place = text.split(": ", 1)[0] if ": " in text else ""
    if place.startswith("Unknown key '"):
        place = place.split("'")[1]
    parts = place.split(".")
    for length in range(len(parts), 0, -1):
        line = lines.get(".".join(parts[:length]))
        if line is not None:
            return Problem(line, text)
    return Problem(None, text)


def _lines(path: Path) -> dict[str, int]:
    """Key with its sections → line, from 1."""
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    return dict(_walk(node, ()))


def _walk(node: yaml.Node | None, prefix: Sequence[str]) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*prefix, str(key.value))
            yield ".".join(place), key.start_mark.line + 1
            yield from _walk(value, place)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            yield ".".join((*prefix, str(i))), value.start_mark.line + 1
            yield from _walk(value, (*prefix, str(i)))


def _tried_processor(card: ProcessorCard, found: Found, name: str, n_events: int) -> str:
    """What an existing processor returns of the first events of a dataset.

    Raises:
        ZnoughtError: a file that cannot be read, or a mistake in the processor.
    """
    from znought.processors.dialects.files import inspect_tree
    from znought.processors.output import leaves

    fileset = fileset_of_dataset(card, name)
    summaries = [inspect_tree(path, tree=tree) for path, tree in fileset[name]["files"].items()]
    filled = [summary for summary in summaries if summary.n_events]
    if not filled:
        return f"{_counted(summaries)} without events"
    processor = made_processor(found, card.arguments)
    stop = min(n_events, filled[0].n_events)
    result = _first_events(processor, fileset, name, filled[0], stop)
    assert result.output is not None, "an existing processor has an output"
    names = ", ".join(leaf for leaf, _ in leaves(result.output.value))
    total = sum(summary.n_events for summary in summaries)
    return f"{_counted(summaries)}, {total:,} events; of the first {stop}: {names or 'nothing'}"


def _first_events(
    processor: "Processor", fileset: Fileset, name: str, summary: "FileSummary", stop: int
) -> "DatasetResult":
    """What a processor makes of the first events of a file."""
    from znought.facility.ntuples.attempt import Task, attempt
    from znought.facility.ntuples.ledger import PlannedChunk
    from znought.processors.result import DatasetResult

    chunk = PlannedChunk(name, summary.path, summary.tree, summary.uuid, 0, stop)
    task = Task(chunk, (summary.path,), dict(fileset[name]["metadata"]))
    return DatasetResult.total([*attempt([task], processor).results.values()])
