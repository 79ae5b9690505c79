"""What each stage made, and from what: the reason a stage may be skipped, or must run again.

A stage is valid while three things hold: its fingerprint (card sections, upstream fingerprints,
code and versions) is the recorded one, its output files are there, and they are unchanged.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import znought
from znought.facility.workspace import read_json, write_json

__all__ = ["FileRecord", "Manifest", "StageRecord", "fingerprint", "source_digest"]

ROOT = Path(znought.__file__).parent
VERSIONS_OF = ("coffea", "awkward", "uproot", "keras", "tensorflow", "scikit-learn", "hist", "numpy")


@dataclass(frozen=True)
class FileRecord:
    """Size in bytes and modification time in ns of one output file."""

    size: int
    mtime_ns: int


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

    def get(self, stage: str) -> StageRecord | None:
        """The record of a stage, or None when it never finished."""
        return self._stages().get(stage)

    def holds(self, stage: str, expected: str) -> bool:
        """Whether a stage finished with this fingerprint and its files are still as it left them."""
        record = self.get(stage)
        if record is None or record.fingerprint != expected:
            return False
        return all(_matches(self.path.parent / name, file) for name, file in record.outputs.items())

    def drop(self, stage: str) -> None:
        """Forgets a stage: called before it runs, so that an interrupted one is never taken as done."""
        stages = self._stages()
        if stages.pop(stage, None) is not None:
            self._save(stages)

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
        self._save(stages)

    def _save(self, stages: Mapping[str, StageRecord]) -> None:
        write_json(self.path, {"stages": {name: asdict(record) for name, record in stages.items()}})


def fingerprint(*parts: object) -> str:
    """SHA-256 of JSON-serialisable parts, independent of the order of keys.

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def source_digest(*modules: str) -> str:
    """SHA-256 of the source of some modules of this package and of all that they import from it.

    Edited cuts must never reuse old columns, and an edited figure must never train a network again:
    so it follows the imports, wherever they stand in the file.
    """
    digest = hashlib.sha256()
    for file in sorted(_imported_files(modules)):
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _imported_files(modules: Iterable[str]) -> set[Path]:
    waiting, seen = list(modules), set[Path]()
    while waiting:
        file = _module_file(waiting.pop())
        if file is None or file in seen:
            continue
        seen.add(file)
        waiting.extend(_imports(ast.parse(file.read_text(encoding="utf-8"))))
    return seen


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module_file(module: str) -> Path | None:
    head, *tail = module.split(".")
    if head != "znought" or not tail:
        return None
    path = ROOT.joinpath(*tail)
    if path.is_dir():
        return path / "__init__.py"
    file = path.with_suffix(".py")
    return file if file.is_file() else None


def _record(content: Mapping[str, Any]) -> StageRecord:
    outputs = {name: FileRecord(**file) for name, file in content["outputs"].items()}
    return StageRecord(**{**content, "outputs": outputs})


def _file_record(path: Path) -> FileRecord:
    status = path.stat()
    return FileRecord(status.st_size, status.st_mtime_ns)


def _matches(path: Path, expected: FileRecord) -> bool:
    return path.is_file() and _file_record(path) == expected
