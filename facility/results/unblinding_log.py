"""The log of data that were shown: lines are added, and one that was changed or taken away is found.

Every line holds the SHA-256 of the one before, so that none can be changed, dropped or put between without
changing all that follow. The last one's stands in `results.json` and in the manifest, and belongs into the
minutes of the analysis: who rewrites all of it cannot bring that number back.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from znought.errors import DataError

__all__ = ["LogEntry", "logged", "read_log"]

_BEGIN = "0" * 64


@dataclass(frozen=True)
class LogEntry:
    """One line.

    Attributes:
        number: from 1 on.
        content: what was written.
        sha256: of the content and the line before.
    """

    number: int
    content: dict[str, Any]
    sha256: str


def read_log(path: Path, *, known: str | None = None) -> tuple[LogEntry, ...]:
    """All lines; none where there is no file yet.

    Args:
        path: of the log.
        known: digest of a line that must be there.

    Raises:
        DataError: a line was changed, lost or put between, or the known one is not there.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    entries: list[LogEntry] = []
    for number, line in enumerate(lines, start=1):
        before = entries[-1].sha256 if entries else _BEGIN
        entries.append(_checked(path, number, line, before))
    if known is not None and known not in [entry.sha256 for entry in entries]:
        raise DataError(
            f"{path} lacks the line {known[:12]}… that results.json names: data were shown, and the log of "
            "it was taken away or rewritten. Put the file back."
        )
    return tuple(entries)


def logged(path: Path, content: Mapping[str, Any], *, known: str | None = None) -> LogEntry:
    """One more line, with the time; nothing before it is touched.

    Args:
        path: of the log.
        content: plain values.
        known: as of `read_log`.

    Raises:
        DataError: the log is not as it was written.
    """
    entries = read_log(path, known=known)
    before = entries[-1].sha256 if entries else _BEGIN
    written = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **content}
    digest = _digest(before, written)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({**written, "sha256": digest}, ensure_ascii=False) + "\n")
    return LogEntry(len(entries) + 1, written, digest)


def _checked(path: Path, number: int, line: str, before: str) -> LogEntry:
    changed = f"{path}, line {number}: not what was written there. Put the file back."
    try:
        content = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(changed) from error
    digest = content.pop("sha256", None) if isinstance(content, dict) else None
    if digest is None or digest != _digest(before, content):
        raise DataError(changed)
    return LogEntry(number, content, digest)


def _digest(before: str, content: Mapping[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()
