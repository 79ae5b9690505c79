"""Skims: what stands beside the files of one, and whether a card may read it in place of the ntuples."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from znought.errors import CardError, DataError
from znought.facility.cards.base import Card
from znought.facility.cards.era import Era
from znought.facility.cards.eras import correction_file
from znought.facility.context import Context
from znought.facility.ntuples.fileset import Fileset
from znought.facility.ntuples.runner import RunResult
from znought.facility.results.records import Record, read_record
from znought.facility.workspace import write_json
from znought.processors.dialects.files import inspect_file
from znought.processors.dialects.sums import GeneratedSums
from znought.processors.exact import ExactSum
from znought.processors.quality.blocks import Blocks
from znought.processors.source import is_local

__all__ = [
    "Skim",
    "new_skim",
    "refuse_lone_files",
    "refuse_option",
    "refuse_skims",
    "said_of",
    "skims_of",
    "with_books",
    "write_skims",
]

BESIDE = "skim.json"
_SECTIONS = ("selection", "channels", "variations", "fake_leptons", "stitched")
_ENABLED = "variations.enabled"
_OF_ERA = ("lumi_ifb", "lumi_uncertainties", "energy_tev")
"""Keys of an era that select nothing."""

_ONLY_WEIGH = ("corrections.pileup", "corrections.electron", "corrections.muon")
"""Files of an era that decide no event."""


class Skim(Record):
    """What stands beside the files of a dataset's skim.

    Attributes:
        selected_by: key of the card that decides which events pass → its value, as JSON.
        files: name → events.
        n_events: of the ntuples.
        theory: member of a set of generator weights → exact sum over all events of the ntuples.
        blocks, certified: luminosity blocks of the ntuples, as run · 2³² + block.
        block_events, certified_events: that these hold.
    """

    selected_by: dict[str, str]
    files: dict[str, int]
    n_events: int
    theory: dict[str, str]
    blocks: tuple[int, ...]
    certified: tuple[int, ...]
    block_events: int
    certified_events: int


def refuse_option(context: Context[Any]) -> None:
    """Raises if a skim is asked for where events are not selected from ntuples here.

    Raises:
        CardError: it is.
    """
    if context.options.skim is not None:
        raise CardError("--skim: a skim is of ntuples, from which a znought analysis selects events.")


def new_skim(context: Context[Card]) -> str | None:
    """The folder of the skim that the options ask for; None without one.

    Raises:
        CardError: it holds something, a part of the input is read, or the card divides datasets by content.
    """
    folder, options = context.options.skim, context.options
    if folder is None:
        return None
    if folder.exists() and any(folder.iterdir()):
        raise CardError(f"--skim: {folder} is not empty; name a new folder.")
    if options.max_files is not None or options.max_chunks is not None:
        raise CardError("--skim: has no use beside --max-files or --max-chunks; a skim is of all events.")
    for name in context.card.sources:
        if context.card.parts(name):
            raise CardError(f"--skim: datasets.{name} is divided by content, which needs all its events.")
    for name in context.card.sources:
        (folder / name).mkdir(parents=True, exist_ok=True)
    return str(folder.resolve())


def write_skims(context: Context[Card], fileset: Fileset, found: RunResult) -> None:
    """Writes what stands beside the files of each dataset's skim.

    Raises:
        DataError: files were left out, or the sums of the skim are not those of the ntuples.
    """
    if found.skipped:
        raise DataError(f"--skim: {found.skipped[0].path} was left out; a skim is of all files.")
    assert context.options.skim is not None, "asked for"
    for name, result in found.results.items():
        folder = context.options.skim / name
        files = sorted(folder.glob("*.root"))
        summaries = [inspect_file(str(file)) for file in files]
        parts = [one.sums for one in summaries if one.sums is not None]
        of_ntuples = found.sums.get(name)
        if not files or (of_ntuples is not None and sum(parts, GeneratedSums()) != of_ntuples):
            raise DataError(
                f"--skim: datasets.{name}: {folder} has not the sums of weights of the ntuples: workers "
                "must see this folder, and every file must hold events."
            )
        skim = Skim(
            selected_by=_selected_by(context, name),
            files={Path(one.path).name: one.n_events for one in summaries},
            n_events=found.n_events(name),
            theory={member: str(total.units) for member, total in result.theory.items()},
            blocks=tuple(sorted(result.blocks.read)),
            certified=tuple(sorted(result.blocks.certified)),
            block_events=result.blocks.events,
            certified_events=result.blocks.certified_events,
        )
        write_json(folder / BESIDE, skim.model_dump(mode="json"))


def skims_of(context: Context[Card], fileset: Fileset) -> dict[str, Skim]:
    """Dataset → the skim that its files are, of those that are one.

    Raises:
        DataError: files of a skim and others in one dataset, not all of a skim, or events that the card
            selects otherwise.
    """
    found = {}
    for name, entry in fileset.items():
        paths = [Path(path) for path in entry["files"] if is_local(path)]
        folders = {path.parent for path in paths if (path.parent / BESIDE).is_file()}
        if not folders:
            continue
        (folder, *others) = sorted(folders)
        skim = read_record(folder / BESIDE, Skim)
        lacking = sorted({*skim.files} - {path.name for path in paths})
        if others or len(paths) != len(skim.files) or len(paths) != len(entry["files"]) or lacking:
            raise DataError(
                f"datasets.{name}: {folder} is a skim of {len(skim.files)} files, which are read together "
                f"and alone{f'; {lacking[0]} is not among those of the card' if lacking else ''}."
            )
        for key, (was, wanted) in _differences(skim.selected_by, _selected_by(context, name)):
            raise DataError(
                f"datasets.{name}: {folder} is a skim with {key}: {was}, the card says {wanted}: use the "
                "ntuples."
            )
        found[name] = skim
    return found


def said_of(skims: Mapping[str, Skim]) -> list[str]:
    """One sentence for every dataset that was read as a skim."""
    return [
        f"{name}: {sum(one.files.values()):,} events, a skim of {one.n_events:,}."
        for name, one in skims.items()
    ]


def refuse_lone_files(found: RunResult, skims: Mapping[str, Skim]) -> None:
    """Raises if files of a skim were read without what stands beside them.

    Raises:
        DataError: names dataset and file.
    """
    for file in found.files:
        if file.summary.is_skim and file.dataset not in skims:
            raise DataError(
                f"datasets.{file.dataset}: {file.summary.path} is of a skim, but has no {BESIDE} beside it: "
                "that says what selected events, and what only all of them tell. Copy the whole folder."
            )


def refuse_skims(fileset: Fileset) -> None:
    """Raises if files are a skim: what is measured before the selection is not in it.

    Raises:
        DataError: names the dataset.
    """
    for name, entry in fileset.items():
        for path in entry["files"]:
            if is_local(path) and (Path(path).parent / BESIDE).is_file():
                raise DataError(
                    f"datasets.{name}: {path} is of a skim, in which no efficiency can be measured: use the "
                    "ntuples."
                )


def with_books(found: RunResult, skims: Mapping[str, Skim]) -> RunResult:
    """What was read of skims, with the sums and luminosity blocks of the events before them."""
    results = dict(found.results)
    for name, skim in skims.items():
        blocks = Blocks(
            frozenset(skim.blocks), frozenset(skim.certified), skim.block_events, skim.certified_events
        )
        theory = {member: ExactSum(int(units)) for member, units in skim.theory.items()}
        results[name] = replace(results[name], blocks=blocks, theory=theory)
    return replace(found, results=results)


def _selected_by(context: Context[Card], dataset: str) -> dict[str, str]:
    """Everything in a card that decides which events of a dataset pass."""
    card = context.card
    # Sections one by one: a stage sees no card as a whole.
    content: dict[str, Any] = {name: to_jsonable_python(getattr(card, name, None)) for name in _SECTIONS}
    era = card.datasets[dataset].era
    if era is not None and era in card.eras:
        of_era = to_jsonable_python(card.eras[era])
        content["era"] = {key: value for key, value in of_era.items() if key not in _OF_ERA}
        content["files of the era"] = _digests(card.eras[era], card.folder)
    source = b"".join(path.read_bytes() for _, path in sorted(context.found.modules.items()))
    content["analysis"] = {
        "name": context.analysis.name,
        "source": hashlib.sha256(source + context.found.digest.encode()).hexdigest()[:12],
    }
    return dict(_flat(content))


def _digests(era: Era, folder: Path) -> dict[str, str]:
    """File of an era that decides which events and jets count → SHA-256 of its content."""
    of_objects = (file for key, file in era.correction_files.items() if key not in _ONLY_WEIGH)
    names = dict.fromkeys((*era.certifications, *of_objects))
    return {
        name: hashlib.sha256(correction_file(name, folder).read_bytes()).hexdigest()[:12] for name in names
    }


def _flat(content: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Key with its sections → value, as JSON."""
    for key, value in content.items():
        name = f"{before}.{key}" if before else str(key)
        if isinstance(value, Mapping):
            yield from _flat(value, name)
        else:
            yield name, json.dumps(value, ensure_ascii=False)


def _differences(was: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Keys whose values differ; a skim holds the events of all variations that it was made with."""
    for key in dict.fromkeys((*was, *wanted)):
        before, now = was.get(key, "nothing"), wanted.get(key, "nothing")
        fewer = key == _ENABLED and {*json.loads(now)} <= {*json.loads(before)}
        if before != now and not fewer:
            yield key, (before, now)
