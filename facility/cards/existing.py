"""The card of an existing coffea processor: where it is, how its events are seen, and its datasets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from znought.analysis import Analysis
from znought.errors import CardError, unknown_name
from znought.facility.cards.base import BaseCard
from znought.facility.cards.finding import Found, Named, find_named
from znought.facility.cards.sections import Files

__all__ = ["ProcessorCard", "ProcessorDataset", "find_processor", "made_processor"]

SCHEMA = "NanoAODSchema"
RESERVED = frozenset({"dataset", "filename", "treename", "entrystart", "entrystop", "fileuuid"})
"""Metadata that every chunk has, by coffea's names."""


class ProcessorDataset(Files):
    """One dataset of an existing processor.

    Attributes:
        metadata: what the processor finds in `events.metadata` beside the names that coffea gives.
    """

    metadata: dict[str, Any] = Field(default_factory=dict)

    @field_validator("metadata")
    @classmethod
    def _names_are_free(cls, metadata: dict[str, Any]) -> dict[str, Any]:
        taken = sorted(RESERVED & metadata.keys())
        if taken:
            raise ValueError(f"{taken[0]} is given by coffea; choose another name")
        return metadata


class ProcessorCard(BaseCard):
    """An existing coffea processor and its datasets.

    Attributes:
        processor: `file.py:NAME` beside the card or `package.module:NAME`, a class or an instance.
        schema_name: `schema` in the card: one of coffea's, or a class of the processor's module.
        arguments: of the processor's class.
        datasets: name → files and metadata.
    """

    title: str = ""
    processor: str
    schema_name: str = Field(default=SCHEMA, alias="schema")
    arguments: dict[str, Any] = Field(default_factory=dict)
    datasets: dict[str, ProcessorDataset] = Field(min_length=1)

    @property
    def origin(self) -> dict[str, Any]:
        """The keys that name the processor and its schema."""
        return {"processor": self.processor, "schema": self.schema_name}

    def metadata(self, dataset: str) -> dict[str, Any]:
        """What travels with every chunk of a dataset."""
        return dict(self.datasets[dataset].metadata)


def find_processor(content: Mapping[str, Any], folder: Path) -> Found:
    """The existing processor and the schema that a card names.

    Args:
        content: of the card, unchecked.
        folder: of the card.

    Raises:
        CardError: one of them is not there, or is none.
    """
    name = str(content["processor"])
    named = find_named(name, folder, key="processor")
    if not callable(getattr(named.value, "process", None)):
        raise CardError(f"processor: {name!r} has no method process(events); expected a coffea ProcessorABC.")
    schema = _schema(str(content.get("schema", SCHEMA)), named)
    analysis = Analysis(name.rpartition(":")[2], columns=_no_columns, card=ProcessorCard)
    return Found(analysis, modules=named.modules, roots=named.roots, named=(named.value, schema))


def _no_columns(*_: Any) -> None:
    raise CardError("processor: an existing processor makes no columns of an analysis.")


def _schema(name: str, named: Named) -> Any:
    """A schema of coffea's, or of the processor's module."""
    from znought.processors.existing import SCHEMAS, is_schema

    own = {one: value for one, value in vars(named.module).items() if is_schema(value)}
    known = {**SCHEMAS, **own}
    if name not in known:
        raise CardError(f"schema: {unknown_name('schema', name, sorted(known))}")
    return known[name]


def made_processor(found: Found, arguments: Mapping[str, Any]) -> Any:
    """The processor with the schema that its events are seen through.

    Raises:
        CardError: its class does not take the arguments, or it is an instance already.
    """
    from znought.processors.existing import ExistingProcessor

    assert found.named is not None, "the card names a processor"
    processor, schema = found.named
    name = found.analysis.name
    if isinstance(processor, type):
        try:
            processor = processor(**arguments)
        except Exception as error:  # a user's class may raise anything
            text = " ".join(str(error).split())
            raise CardError(f"arguments: {name}(...) fails: {type(error).__name__}: {text}.") from error
    elif arguments:
        raise CardError(f"arguments: {name} is an instance and takes none.")
    return ExistingProcessor(processor, schema)
