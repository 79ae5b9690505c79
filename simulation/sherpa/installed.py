"""Where Sherpa is installed, and what it needs to be told in its environment."""

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from znought.errors import CardError
from znought.simulation.recipe import Recipe

__all__ = ["check_installed", "environment", "is_installed", "program", "sherpa_version"]

_PACKAGE = "sherpa-mc"


def is_installed() -> bool:
    """Whether this Python has Sherpa."""
    try:
        return bool(version(_PACKAGE)) and find_spec("Sherpa") is not None
    except PackageNotFoundError:
        return False


def sherpa_version() -> str:
    """Version of the installed Sherpa."""
    return version(_PACKAGE)


def check_installed(recipe: Recipe) -> None:
    """Nothing, where the recipe can be run here.

    Raises:
        CardError: it needs Sherpa, which this Python does not have.
    """
    if recipe.matrix_element is not None and not is_installed():
        here = ".".join(map(str, sys.version_info[:2]))
        raise CardError(
            f"Recipe {recipe.name!r} needs Sherpa, which is not installed: pip install 'znought[simulation]' "
            f"with Python 3.12 or 3.13 on Linux (this is {here}), or take a recipe of Pythia."
        )


def _root() -> Path:
    spec = find_spec("Sherpa")
    assert spec is not None, "check_installed comes before"
    assert spec.origin is not None
    return Path(spec.origin).parent


def program() -> Path:
    """Sherpa's own program."""
    return _root() / "bin" / "Sherpa"


def environment() -> dict[str, str]:
    """The environment of a process that runs Sherpa from its wheel, which is not where it was built."""
    root = _root()
    share, libraries = root / "share" / "SHERPA-MC", root / "lib64" / "SHERPA-MC"
    return {
        **os.environ,
        "SHERPA_SHARE_PATH": str(share),
        "SHERPA_LIBRARY_PATH": str(libraries),
        "SHERPA_INCLUDE_PATH": str(root / "include" / "SHERPA-MC"),
        "LD_LIBRARY_PATH": str(libraries),
        # Two folders of PDF sets: the one that is used, and the one that Sherpa looks for in any case.
        "LHAPDF_DATA_PATH": f"{share}:{share / 'LHAPDF'}",
    }
