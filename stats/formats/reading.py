"""A likelihood from a file, whichever format it has."""

from pathlib import Path

from znought.errors import CardError
from znought.stats.formats.card_reader import read_card
from znought.stats.formats.description import is_description
from znought.stats.formats.likelihood import Likelihood
from znought.stats.formats.pyhf_json import read_workspace
from znought.stats.formats.template_reader import read_templates

__all__ = ["holds_likelihood", "read_likelihood"]


def holds_likelihood(path: Path) -> bool:
    """Whether a file is a text card, a pyhf workspace or a description of templates, by its name and keys."""
    return path.suffix in (".txt", ".json") or is_description(path)


def read_likelihood(path: Path, *, mass: float | None = None) -> Likelihood:
    """The likelihood of a text card (``.txt``), a pyhf workspace (``.json``) or a description (``.yaml``).

    Args:
        path: of the file.
        mass: what $MASS stands for in a text card.

    Raises:
        CardError: another suffix, or a mistake in a description.
        DataError: a file that cannot be read as what its suffix says.
    """
    if path.suffix == ".txt":
        return read_card(path, mass=mass)
    if mass is not None:
        raise CardError("--mass is for text cards, where it stands for $MASS.")
    if path.suffix == ".json":
        return read_workspace(path)
    if path.suffix in (".yaml", ".yml"):
        return read_templates(path)
    raise CardError(f"a likelihood comes as .txt (Combine), .json (pyhf) or .yaml. Received: {path.name}.")
