"""What every process must have among its uncertainties, and what it lacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from znought.errors import CardError, unknown_name

__all__ = ["MissingUncertainty", "missing_uncertainties", "required_of"]


@dataclass(frozen=True)
class MissingUncertainty:
    """A required uncertainty that a process does not have."""

    process: str
    uncertainty: str

    @property
    def text(self) -> str:
        """One line."""
        return f"{self.process} has no uncertainty {self.uncertainty!r}, which is required of it."


def required_of(
    required: Mapping[str, Sequence[str]], processes: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Required uncertainties by process; the key `all` stands for every process.

    Args:
        required: process or `all` → names, as a card lists them.
        processes: names of the processes.

    Raises:
        CardError: an unknown process.

    >>> required_of({"all": ["scale"], "top": ["shower"]}, ["top", "WW"])
    {'top': ('scale', 'shower'), 'WW': ('scale',)}
    """
    for name in required:
        if name != "all" and name not in processes:
            raise CardError(unknown_name("process", name, ["all", *processes]))
    common = tuple(required.get("all", ()))
    return {process: tuple(dict.fromkeys((*common, *required.get(process, ())))) for process in processes}


def missing_uncertainties(
    required: Mapping[str, Sequence[str]], present: Mapping[str, Sequence[str]]
) -> tuple[MissingUncertainty, ...]:
    """Every required uncertainty that a process lacks, in the order of the processes.

    Args:
        required: by process, as `required_of` gives it.
        present: process → names of its systematics and norms, as in the card.

    >>> missing_uncertainties({"top": ("scale", "pdf")}, {"top": ["scale"]})
    (MissingUncertainty(process='top', uncertainty='pdf'),)
    """
    return tuple(
        MissingUncertainty(process, name)
        for process, names in required.items()
        for name in names
        if name not in present.get(process, ())
    )
