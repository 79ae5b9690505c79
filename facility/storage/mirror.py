"""On a worker that does not see the client's disk: files of a task fetched before it, and sent after it."""

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import RLock
from typing import Any

from distributed import get_worker

from znought.errors import SiteError, ZnoughtError
from znought.facility.cluster.failures import checked
from znought.facility.storage.objects import Objects, patiently
from znought.facility.storage.paths import moved, visited

__all__ = ["Mirror", "Stamp", "WithFiles", "answered", "keep", "pieces_of", "recall", "write_pieces"]

ANSWER_S = 600.0
"""How long a worker waits for the client's answer: longer, and the client is gone."""

MOST_BYTES = 2**30
"""Of fetched files that a worker keeps for later tasks: disks of facility workers hold 2 GiB."""

Piece = tuple[str, int, bytes]
"""Local path on the worker, offset, content."""


@dataclass(frozen=True)
class Stamp:
    """A file of the client as it was when its task was sent."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Mirror:
    """Where workers keep their copies of the client's files; small, as it travels with each task.

    Attributes:
        name: of the folder, and of the topic that workers write their requests to.
        root: output directory of the client.
        url: of the store between both; None sends files through Dask.
    """

    name: str
    root: str
    url: str | None

    @property
    def folder(self) -> Path:
        """On a worker: the copy of the output directory."""
        return Path(get_worker().local_directory, self.name, "output").resolve()

    def local(self, path: str) -> Path:
        """On a worker: where a file of the client is kept, one from outside its output directory too."""
        if Path(path).is_relative_to(self.root):
            return self.folder / Path(path).relative_to(self.root)
        digest = hashlib.sha256(str(Path(path).parent).encode()).hexdigest()[:12]
        return self.folder.parent / "elsewhere" / digest / Path(path).name

    def ask(self, **request: Any) -> Mapping[str, Any]:
        """On a worker: what the client answers.

        Raises:
            SiteError: it does not answer, or cannot do what is asked.
        """
        worker, number = get_worker(), uuid.uuid4().hex
        _ANSWERS[number] = SimpleQueue()
        try:
            request |= {"number": number, "worker": worker.address}
            worker.log_event(self.name, json.dumps(request))
            answer: Mapping[str, Any] = _ANSWERS[number].get(timeout=ANSWER_S)
        except Empty as error:
            raise SiteError(f"The client did not answer within {ANSWER_S / 60:.0f} minutes.") from error
        finally:
            del _ANSWERS[number]
        if "error" in answer:
            raise SiteError(str(answer["error"]))
        return answer


@dataclass(frozen=True)
class WithFiles:
    """A call whose files are fetched before it, and sent after it.

    Attributes:
        mirror: where they are kept.
        files: that the arguments name.
        function: what is called.
    """

    mirror: Mirror
    files: tuple[Stamp, ...]
    function: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        """On a worker: the result, with the client's names of all files in it."""
        mirror = self.mirror
        with _in_use(self.files):
            there = _fetched(mirror, self.files)

            def inwards(text: str) -> str:
                if text in there:
                    return there[text]
                inside = text.startswith(mirror.root) and Path(text).is_relative_to(mirror.root)
                return str(mirror.local(text)) if inside else text

            function, given = moved((self.function, arguments), inwards)
            token = _CURRENT.set(mirror)
            try:
                return _sent_home(mirror, function(*given), there)
            except ZnoughtError as error:
                error.args = tuple(_outwards(mirror, there)(one) for one in error.args)
                raise
            finally:
                _CURRENT.reset(token)


def _outwards(mirror: Mirror, there: Mapping[str, str]) -> Callable[[Any], Any]:
    """What changes a text about a worker's files into one about the client's."""
    back = {local: path for path, local in there.items()}
    here = str(mirror.folder)

    def change(text: Any) -> Any:
        if not isinstance(text, str):
            return text
        if text in back:
            return back[text]
        for local, path in back.items():
            if local in text:
                text = text.replace(local, path)
        return text.replace(here, mirror.root)

    return change


def _sent_home(mirror: Mirror, result: Any, there: Mapping[str, str]) -> Any:
    """A result whose files the client has got, under their names there."""
    here, written = str(mirror.folder), list[Path]()

    def see(text: str) -> None:
        if text.startswith(here) and text not in there.values() and Path(text).is_file():
            written.append(Path(text))

    visited(result, see)
    _give(mirror, list(dict.fromkeys(written)))
    for path in dict.fromkeys(written):
        path.unlink(missing_ok=True)
    return moved(result, _outwards(mirror, there))


def _give(mirror: Mirror, paths: Sequence[Path]) -> None:
    """Sends files to the client, which has them when this returns."""
    if not paths:
        return
    gifts = []
    for path in paths:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        name = path.relative_to(mirror.folder)
        key = key_of(str(name), digest)
        if mirror.url is not None:
            _with_credentials(mirror)
            patiently(Objects(mirror.url).put, path, key)
        gifts.append(
            {"path": str(name), "local": str(path), "size": path.stat().st_size, "sha256": digest, "key": key}
        )
    mirror.ask(give=gifts)


def key_of(name: str, digest: str) -> str:
    """Name in the store of a file of the output directory: never that of another content."""
    path = Path(name)
    return str(path.with_name(f"{path.stem}-{digest[:16]}{path.suffix}"))


# --- fetching -----------------------------------------------------------------------------------------

_ANSWERS: dict[str, SimpleQueue[Mapping[str, Any]]] = {}
_PRESENT: dict[Path, Stamp] = {}
_USED: dict[str, int] = {}
_PLACED: set[str] = set()
_LOCK = RLock()
_CURRENT: ContextVar[Mirror | None] = ContextVar("mirror", default=None)


@contextlib.contextmanager
def _in_use(files: Sequence[Stamp]) -> Iterator[None]:
    """Keeps files from being dropped meanwhile by another thread."""
    for file in files:
        _USED[file.path] = _USED.get(file.path, 0) + 1
    try:
        yield
    finally:
        for file in files:
            _USED[file.path] -= 1


def _fetched(mirror: Mirror, files: Sequence[Stamp]) -> dict[str, str]:
    """The client's path → the worker's, of every file; those outside the output may be seen as they are."""
    with _LOCK:
        there = {
            file.path: str(mirror.local(file.path)) for file in files if not _seen_as_it_is(mirror, file)
        }
        lacking = [file for file in files if file.path in there and not _has(mirror, file)]
        if lacking:
            _drop_others(mirror, sum(file.size for file in lacking))
            _fetch(mirror, lacking)
    return there


def _seen_as_it_is(mirror: Mirror, file: Stamp) -> bool:
    if Path(file.path).is_relative_to(mirror.root):
        return False
    try:
        return Path(file.path).stat().st_size == file.size
    except OSError:
        return False


def _has(mirror: Mirror, file: Stamp) -> bool:
    local = mirror.local(file.path)
    return _PRESENT.get(local) == file and local.is_file()


def _fetch(mirror: Mirror, files: Sequence[Stamp]) -> None:
    wanted = {file.path: f"{mirror.local(file.path)}.{uuid.uuid4().hex}" for file in files}
    answer = mirror.ask(want=wanted)
    for file in files:
        temporary, local = Path(wanted[file.path]), mirror.local(file.path)
        if mirror.url is not None:
            _with_credentials(mirror)
            patiently(Objects(mirror.url).get, answer["keys"][file.path], temporary)
        size = temporary.stat().st_size
        if size != file.size:
            temporary.unlink()
            raise SiteError(f"{file.path}: {size:,} bytes came, {file.size:,} were sent.")
        temporary.replace(local)
        # Whoever looks whether a file has changed looks at its time.
        os.utime(local, ns=(file.mtime_ns, file.mtime_ns))
        _PRESENT[local] = file


def _drop_others(mirror: Mirror, n_bytes: int) -> None:
    """Makes room for some bytes among the files that no task uses now."""
    mine = [local for local in _PRESENT if local.is_relative_to(mirror.folder.parent)]
    total = sum(_PRESENT[local].size for local in mine) + n_bytes
    for local in mine:
        if total <= MOST_BYTES:
            return
        if not _USED.get(_PRESENT[local].path):
            total -= _PRESENT.pop(local).size
            local.unlink(missing_ok=True)


def _with_credentials(mirror: Mirror) -> None:
    """Asks for the client's credentials, once in a process that came after they were handed out."""
    with _LOCK:
        if mirror.name not in _PLACED:
            mirror.ask(credentials=True)
            _PLACED.add(mirror.name)


def placed(name: str) -> None:
    """On a worker: notes that the credentials of a mirror are there."""
    _PLACED.add(name)


# --- what the client calls on a worker ----------------------------------------------------------------


def answered(number: str, answer: Mapping[str, Any]) -> None:
    """On a worker: hands the client's answer to the task that waits for it."""
    if number in _ANSWERS:
        _ANSWERS[number].put(answer)


def write_pieces(pieces: Sequence[Piece]) -> None:
    """On a worker: writes pieces of files, which come in order.

    Raises:
        WorkerError: its disk is full.
    """
    checked(_write, pieces)


def _write(pieces: Sequence[Piece]) -> None:
    for path, offset, content in pieces:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with Path(path).open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(content)


def pieces_of(wanted: Sequence[tuple[str, int, int]]) -> list[bytes]:
    """On a worker: (path, offset, size) → contents."""
    found = []
    for path, offset, size in wanted:
        with Path(path).open("rb") as file:
            file.seek(offset)
            found.append(file.read(size))
    return found


def forget(name: str, dask_worker: Any) -> None:
    """On a worker: takes the folder of a mirror away."""
    folder = Path(dask_worker.local_directory, name).resolve()
    for local in [one for one in _PRESENT if one.is_relative_to(folder)]:
        del _PRESENT[local]
    shutil.rmtree(folder, ignore_errors=True)


# --- checkpoints --------------------------------------------------------------------------------------


def recall(path: Path) -> None:
    """On a worker: fetches a file that an earlier task left at the client, where there is one."""
    mirror = _CURRENT.get()
    if mirror is None or path.exists():
        return
    temporary = f"{path}.{uuid.uuid4().hex}"
    name = str(path.relative_to(mirror.folder))
    answer = mirror.ask(recall=name, local=temporary)
    if answer["found"]:
        Path(temporary).replace(path)


def keep(path: Path) -> None:
    """On a worker: leaves a file at the client, so that another worker can go on from it."""
    mirror = _CURRENT.get()
    if mirror is not None and path.exists():
        mirror.ask(keep=str(path.relative_to(mirror.folder)), local=str(path), size=path.stat().st_size)
