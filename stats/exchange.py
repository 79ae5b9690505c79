"""Files that other programs read: pyhf JSON, ROOT histograms, UHI JSON."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pyhf
import uhi.io.json
import uproot

from znought.errors import DataError
from znought.stats.fit import pyhf_session
from znought.stats.templates import RegionTemplates, to_hist
from znought.stats.workspace import Spec, checked_spec

__all__ = ["replace_file", "write_root", "write_uhi", "write_workspace"]


def write_workspace(path: Path, spec: Spec) -> None:
    """The workspace as pyhf JSON, checked against pyhf's schema.

    The name of its measurement says which channels hold Asimov data.

    Raises:
        DataError: the schema refuses the specification, or a sample names a modifier twice.
    """
    checked_spec(spec)
    with pyhf_session():
        try:
            pyhf.schema.validate(spec, "workspace.json")
        except pyhf.exceptions.InvalidSpecification as failure:
            raise DataError(f"not a pyhf workspace: {str(failure).splitlines()[0]}") from failure
    text = json.dumps(spec, indent=2, sort_keys=True, allow_nan=False)
    replace_file(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def write_root(path: Path, regions: Sequence[RegionTemplates]) -> None:
    """Every template as <region>/<process>_<variation>, a TH1D with its squared errors."""

    def write(temporary: Path) -> None:
        with uproot.recreate(temporary) as file:
            for region in regions:
                cube = to_hist(region)
                for process in cube.axes["process"]:
                    for variation in cube.axes["variation"]:
                        part = cube[{"process": process, "variation": variation}]
                        file[f"{region.name}/{process}_{variation}"] = part

    replace_file(path, write)


def write_uhi(path: Path, regions: Sequence[RegionTemplates]) -> None:
    """Every region as a process × variation × discriminant histogram in UHI's JSON, by region name."""
    cubes = {region.name: to_hist(region) for region in regions}
    text = json.dumps(cubes, default=uhi.io.json.default, allow_nan=False)
    replace_file(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write under a temporary name and move into place: the file is whole, or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part{path.suffix}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
