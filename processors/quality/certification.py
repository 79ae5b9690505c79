"""Luminosity blocks that an experiment has certified: CMS JSON, or ATLAS good-runs list (XML)."""

import json
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError

__all__ = ["Certification", "read_certification"]

Ranges = dict[str, list[list[int]]]
"""Run → first and last block of each certified range, both inside."""


@dataclass(frozen=True)
class Certification:
    """The certified blocks of one file.

    Attributes:
        file: its name, for messages.
        content: run → certified ranges, as CMS writes it.
        lists: what each list calls itself: its file, and in XML of ATLAS its name, version and defects.
    """

    file: str
    content: str
    lists: tuple[str, ...] = ()

    @property
    def runs(self) -> tuple[int, ...]:
        """Runs that have a certified block, rising."""
        return tuple(sorted(int(run) for run in json.loads(self.content)))

    def passes(self, run: NDArray[np.uint32], block: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Whether the block of each event is certified, shape (n_events,)."""
        found: NDArray[np.bool_] = _mask(self.content)(run, block)
        return found


def read_certification(path: Path, *others: Path) -> Certification:
    """The certified blocks of a file, or of several of different runs, such as one for each year.

    Raises:
        CardError: no such file.
        DataError: one is neither CMS JSON nor XML of ATLAS, holds no block, or one of a run of another.
    """
    found = _one(path)
    for other in map(_one, others):
        known, more = json.loads(found.content), json.loads(other.content)
        if both := sorted(set(known) & set(more), key=int):
            raise DataError(f"certification: run {both[0]} is in {found.file} and in {other.file}.")
        lists = (*found.lists, *other.lists)
        found = Certification(f"{found.file} and {other.file}", json.dumps(known | more), lists)
    return found


def _one(path: Path) -> Certification:
    """The certified blocks of a file: CMS JSON, or XML as ATLAS writes its good-runs lists.

    Raises:
        CardError: no such file.
        DataError: it is neither, or holds no block.
    """
    if not path.is_file():
        raise CardError(f"certification: no such file {path}.")
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _read(path: Path, mtime_ns: int) -> Certification:
    """The same; read again where the file changed."""
    text = path.read_text(encoding="utf-8")
    is_xml = text.lstrip().startswith("<")
    ranges = _of_xml(path, text) if is_xml else _of_json(path, text)
    if not any(ranges.values()):
        raise DataError(f"{path}: it certifies no block.")
    own = _names_in_xml(text) if is_xml else ()
    return Certification(path.name, json.dumps(ranges), (", ".join([path.name, *own]),))


@lru_cache(maxsize=16)
def _mask(content: str) -> Any:
    """coffea's look-up, which reads files."""
    # It compiles for some seconds when it is imported: only where something must be certified.
    from coffea.lumi_tools import LumiMask

    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(content)
        file.flush()
        return LumiMask(file.name)


def _of_json(path: Path, text: str) -> Ranges:
    try:
        content: Any = json.loads(text)
        return {str(int(run)): [_range(pair) for pair in pairs] for run, pairs in content.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: expected {{run: [[first, last], …]}}, as CMS: {error}.") from error


def _of_xml(path: Path, text: str) -> Ranges:
    try:
        root = ElementTree.fromstring(text)
        collections = list(root.iter("LumiBlockCollection"))
        return {
            str(int(one.findtext("Run", ""))): [
                _range([part.get("Start"), part.get("End")]) for part in one.iter("LBRange")
            ]
            for one in collections
        }
    except (ElementTree.ParseError, ValueError, TypeError) as error:
        raise DataError(f"{path}: expected XML as of ATLAS (LumiBlockCollection): {error}.") from error


def _names_in_xml(text: str) -> list[str]:
    """Name and version of each list, and the tag of the defects that it was made with."""
    found = []
    for one in ElementTree.fromstring(text).iter("NamedLumiRange"):
        found += [(one.findtext(key) or "").strip() for key in ("Name", "Version")]
        found += [
            (note.text or "").strip() for note in one.iter("Metadata") if note.get("Name") == "RQTSVNVersion"
        ]
    return [name for name in found if name]


def _range(pair: Any) -> list[int]:
    """First and last block.

    Raises:
        ValueError: the last comes before the first.
    """
    first, last = (int(value) for value in pair)
    if not 0 <= first <= last:
        raise ValueError(f"range {first} to {last}")
    return [first, last]
