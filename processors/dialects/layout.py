"""What an ntuple dialect reads, and which branches of a given file stand for it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from znought.errors import DataError

__all__ = ["Field", "Layout", "Source", "resolve"]


@dataclass(frozen=True)
class Source:
    """One branch that can supply a field.

    Attributes:
        branch: name of the branch.
        note: what is declared when this branch stands in for the proper one; empty for the proper one.
    """

    branch: str
    note: str = ""


@dataclass(frozen=True)
class Field:
    """One quantity that the processor asks for.

    Attributes:
        name: canonical name, such as `electron_pt`.
        sources: branches that supply it, the best first.
        fallback: declared substitute that needs no branch; empty if there is none.
        optional: the processor does without it and nothing needs to be declared.
        beside: field that it goes with: where that one is absent, nobody asks for this one.
        unless: field that it can be made from: where that one is there, nobody asks for this one either.
    """

    name: str
    sources: tuple[Source, ...]
    fallback: str = ""
    optional: bool = False
    beside: str = ""
    unless: str = ""

    @classmethod
    def of(
        cls,
        name: str,
        *branches: str,
        fallback: str = "",
        optional: bool = False,
        beside: str = "",
        unless: str = "",
    ) -> "Field":
        """A field supplied by any of several equivalent branches."""
        return cls(name, tuple(Source(branch) for branch in branches), fallback, optional, beside, unless)


@dataclass(frozen=True)
class Layout:
    """Branches of one file for the fields of a dialect.

    Attributes:
        dialect: name of the dialect.
        branches: canonical name → branch; fields without a branch are absent.
        substitutes: canonical name → what stands in for it, as reports quote it.
        missing: canonical names of needed fields that nothing supplies, with the branches tried.
    """

    dialect: str
    branches: Mapping[str, str]
    substitutes: Mapping[str, str]
    missing: Mapping[str, tuple[str, ...]]

    def require(self, *, path: str, only: Collection[str] | None = None) -> "Layout":
        """This layout, or an error that names file, field and branches.

        Args:
            path: the file.
            only: names of the fields that are needed; None for all.

        Raises:
            DataError: a needed field has neither branch nor substitute.
        """
        missing = {name: tried for name, tried in self.missing.items() if only is None or name in only}
        if not missing:
            return self
        wanted = "; ".join(f"{name} (branch {' or '.join(tried)})" for name, tried in missing.items())
        message = f"{path} lacks what dialect {self.dialect} needs: {wanted}."
        raise DataError(message)


def resolve(dialect: str, fields: tuple[Field, ...], present: Collection[str]) -> Layout:
    """Layout of a file that holds the branches `present`.

    >>> layout = resolve("toy", (Field.of("met_pt", "MET_pt", "PFMET_pt"),), {"PFMET_pt"})
    >>> dict(layout.branches), dict(layout.missing)
    ({'met_pt': 'PFMET_pt'}, {})
    """
    branches: dict[str, str] = {}
    substitutes: dict[str, str] = {}
    missing: dict[str, tuple[str, ...]] = {}
    for field in fields:
        source = next((source for source in field.sources if source.branch in present), None)
        if source is not None:
            branches[field.name] = source.branch
            if source.note:
                substitutes[field.name] = source.note
        elif (field.beside and field.beside not in branches) or field.unless in branches:
            continue
        elif field.fallback:
            substitutes[field.name] = field.fallback
        elif not field.optional:
            missing[field.name] = tuple(source.branch for source in field.sources)
    return Layout(dialect, branches, substitutes, missing)
