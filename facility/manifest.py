"""What each stage made, and from what: the reason a stage may be skipped, or must run again.

A stage is valid while three things hold: its fingerprint (card sections, content of what it reads, code)
is the recorded one, its output files are there, and their content is unchanged.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import znought
from znought.errors import StageError
from znought.facility.workspace import read_json, write_json

__all__ = [
    "MANIFEST",
    "FileRecord",
    "Manifest",
    "StageRecord",
    "fingerprint",
    "recorded_files",
    "source_digest",
]

MANIFEST = "manifest.json"
"""Its name in an output directory."""

VERSIONS_OF = ("coffea", "awkward", "uproot", "keras", "tensorflow", "scikit-learn", "hist", "numpy")


@dataclass(frozen=True)
class FileRecord:
    """Size in bytes, modification time in ns and SHA-256 of one output file."""

    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class StageRecord:
    """One finished stage: the fingerprint of its inputs, its outputs and how long it took."""

    fingerprint: str
    outputs: Mapping[str, FileRecord]
    seconds: float
    versions: Mapping[str, str]
    section: Mapping[str, Any]


class Manifest:
    """The finished stages of one output directory, kept in `manifest.json`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _stages(self) -> dict[str, StageRecord]:
        if not self.path.exists():
            return {}
        stages = read_json(self.path)["stages"]
        return {name: _record(content) for name, content in stages.items()}

    def _former(self) -> dict[str, list[str]]:
        """Files that stages had written when they were dropped, until they finish again."""
        return read_json(self.path).get("former", {}) if self.path.exists() else {}

    def get(self, stage: str) -> StageRecord | None:
        """The record of a stage, or None when it never finished."""
        return self._stages().get(stage)

    def holds(self, stage: str, expected: str) -> bool:
        """Whether a stage finished with this fingerprint and its files are still as it left them."""
        record = self.get(stage)
        if record is None or record.fingerprint != expected:
            return False
        return all(_matches(self.path.parent / name, file) for name, file in record.outputs.items())

    def damaged(self, stage: str) -> list[str]:
        """Files of a finished stage that are gone or no longer what it wrote."""
        record = self.get(stage)
        files = {} if record is None else record.outputs
        return [name for name, file in files.items() if not _matches(self.path.parent / name, file)]

    def contents(self, stages: Iterable[str], places: Iterable[Path]) -> dict[str, str]:
        """SHA-256 of every file that the stages wrote at or below some places, by its path."""
        root = self.path.parent
        wanted = [place.relative_to(root) for place in places]
        finished = self._stages()
        return {
            name: file.sha256
            for stage in stages
            if stage in finished
            for name, file in finished[stage].outputs.items()
            if any(_belongs_to(Path(name), place) for place in wanted)
        }

    def drop(self, stage: str, places: Iterable[Path] = ()) -> None:
        """Forgets a stage: called before it runs, so that an interrupted one is never taken as done.

        Args:
            stage: its name.
            places: folders that it writes anew; stages that have added to them are forgotten, too.
        """
        stages, root = self._stages(), self.path.parent
        folders = [place.relative_to(root) for place in places]
        gone = {stage} | {
            name
            for name, record in stages.items()
            if any(Path(file).is_relative_to(folder) for file in record.outputs for folder in folders)
        }
        if dropped := gone & {*stages}:
            former = self._former()
            for name in dropped:
                former[name] = sorted({*former.get(name, ()), *stages[name].outputs})
            self._save({name: record for name, record in stages.items() if name not in gone}, former)

    def outdated(self, stage: str, outputs: Iterable[Path]) -> list[Path]:
        """Files that a dropped stage had written, and neither it nor another stage has written now.

        Args:
            stage: its name.
            outputs: files it wrote now.
        """
        root = self.path.parent.resolve()
        written = {str(path.resolve().relative_to(root)) for path in outputs}
        written.update(name for record in self._stages().values() for name in record.outputs)
        return [root / name for name in self._former().get(stage, ()) if name not in written]

    def record(
        self, stage: str, mark: str, outputs: Iterable[Path], *, seconds: float, section: Mapping[str, Any]
    ) -> None:
        """Notes a finished stage.

        Args:
            stage: its name.
            mark: the fingerprint of its inputs.
            outputs: files it wrote, below the manifest's directory.
            seconds: wall time.
            section: the part of the card it read.
        """
        root = self.path.parent.resolve()
        files = {str(p.resolve().relative_to(root)): _file_record(p) for p in sorted(outputs)}
        versions = {name: version(name) for name in VERSIONS_OF} | {"znought": znought.__version__}
        stages = self._stages()
        stages[stage] = StageRecord(mark, files, round(seconds, 3), versions, dict(section))
        self._save(stages, {name: files for name, files in self._former().items() if name != stage})

    def _save(self, stages: Mapping[str, StageRecord], former: Mapping[str, list[str]]) -> None:
        content = {"stages": {name: asdict(record) for name, record in stages.items()}}
        write_json(self.path, content | ({"former": former} if former else {}))


def recorded_files(path: Path) -> Mapping[str, int]:
    """Every file that a finished stage has written, below the manifest's directory → its size in bytes."""
    status = path.stat()
    return _recorded_files(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4)
def _recorded_files(path: Path, size: int, mtime_ns: int) -> Mapping[str, int]:
    """The same; read again when the manifest changes."""
    stages = read_json(path)["stages"].values()
    return {name: int(file["size"]) for stage in stages for name, file in stage["outputs"].items()}


def fingerprint(*parts: object) -> str:
    """SHA-256 of JSON-serialisable parts, independent of the order of keys.

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def source_digest(*modules: str) -> str:
    """SHA-256 of the source of some modules and of all that they import from this package.

    Edited cuts must never reuse old columns, and an edited figure must never train a network again:
    so it follows the imports, wherever they stand in the file.

    Raises:
        StageError: a module that has no source.
    """
    digest = hashlib.sha256()
    for name, file in sorted(_imported_files(modules).items()):
        digest.update(name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _imported_files(modules: Iterable[str]) -> dict[str, Path]:
    waiting, seen = [], dict[str, Path]()
    for module in modules:
        if _module_file(module) is None:
            raise StageError(f"{module} is named as the code of a stage, and has no source.")
        waiting.append(module)
    while waiting:
        module = waiting.pop()
        file = _module_file(module)
        if file is None or module in seen:
            continue
        seen[module] = file
        waiting.extend(
            name
            for name in _imports(file, file.stat().st_mtime_ns)
            if name.split(".")[0] == module.split(".")[0]
        )
    return seen


@cache
def _imports(file: Path, mtime_ns: int) -> tuple[str, ...]:
    """Modules that a file imports, and names that may be modules; parsed anew where it changed."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.append(node.module)
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(found)


@cache
def _module_file(module: str) -> Path | None:
    """The file of a module, without importing it; None for what is no module."""
    head, *tail = module.split(".")
    spec = find_spec(head)
    if spec is None or not spec.submodule_search_locations:
        return None if spec is None or spec.origin is None or tail else _source(Path(spec.origin))
    path = Path(spec.submodule_search_locations[0]).joinpath(*tail)
    return _source(path / "__init__.py") or _source(path.with_suffix(".py"))


def _source(file: Path) -> Path | None:
    return file if file.suffix == ".py" and file.is_file() else None


def _belongs_to(path: Path, place: Path) -> bool:
    """Whether a file is at or below a place, or beside it as another form or channel: regions_0L.csv."""
    if path.is_relative_to(place):
        return True
    return bool(place.suffix) and path.parent == place.parent and path.name.startswith(place.stem)


def _record(content: Mapping[str, Any]) -> StageRecord:
    outputs = {name: FileRecord(**file) for name, file in content["outputs"].items()}
    return StageRecord(**{**content, "outputs": outputs})


def _file_record(path: Path) -> FileRecord:
    status = path.stat()
    return FileRecord(status.st_size, status.st_mtime_ns, _sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _matches(path: Path, expected: FileRecord) -> bool:
    """Whether a file is as it was: by size and time, or else by content, as in a copied directory."""
    if not path.is_file():
        return False
    status = path.stat()
    if status.st_size != expected.size:
        return False
    return status.st_mtime_ns == expected.mtime_ns or _sha256(path) == expected.sha256
