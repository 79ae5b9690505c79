"""At the client: answers workers that lack its files, and takes home what they have made."""

import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from distributed import Client

from znought.errors import SiteError
from znought.facility.storage.credentials import Credentials, place_credentials
from znought.facility.storage.mirror import (
    Mirror,
    Stamp,
    WithFiles,
    answered,
    forget,
    key_of,
    pieces_of,
    write_pieces,
)
from znought.facility.storage.objects import Objects, patiently
from znought.facility.storage.paths import visited
from znought.facility.workspace import atomic_path

__all__ = ["PIECE_BYTES", "Exchange", "carried", "exchange_of"]

logger = logging.getLogger(__name__)

PIECE_BYTES = 8 * 2**20
"""Most of a file, or of several small ones, in one message through Dask."""

_AT_A_TIME = 4
_OF_CLIENT: WeakKeyDictionary[Client, "Exchange"] = WeakKeyDictionary()
Segment = tuple[str, str, int, int]
"""Path here, path at the worker, offset, size."""


class Exchange:
    """Files of one output directory, between its client and workers that do not see them.

    Args:
        client: of the workers.
        root: output directory, resolved.
        url: of the store between both; None sends files through Dask.
        credentials: for the store, where workers may be given any.
    """

    def __init__(self, client: Client, root: Path, url: str | None, credentials: Credentials) -> None:
        self.mirror = Mirror(f"znought-{secrets.token_hex(8)}", str(root), url)
        self._client, self._root, self._credentials = client, root, credentials
        self._writes: tuple[Path, ...] = ()
        self._stamps: dict[str, tuple[Stamp, ...]] = {}
        self._offered: set[str] = set()
        self._keys: dict[Stamp, str] = {}
        self._pool = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="znought-files")

    def open(self) -> None:
        """Begins to answer."""
        self._client.subscribe_topic(self.mirror.name, self._heard)
        _OF_CLIENT[self._client] = self

    def close(self) -> None:
        """Answers no longer, and takes the copies of the workers away."""
        _OF_CLIENT.pop(self._client, None)
        if self._client.status == "running":
            self._client.unsubscribe_topic(self.mirror.name)
            self._client.run(forget, self.mirror.name, on_error="ignore")
        self._pool.shutdown(wait=False, cancel_futures=True)

    def stage(self, writes: Iterable[Path]) -> None:
        """What stands in these places now is no input: a stage is about to write them."""
        self._writes = tuple(path.resolve() for path in writes)
        self._stamps.clear()

    def wrapped(self, function: Callable[..., Any], *arguments: Any) -> WithFiles:
        """A call that finds on its worker the files that function and arguments name."""
        stamps = [*self._stamps_in(function), *self._stamps_in(arguments)]
        return WithFiles(self.mirror, tuple(dict.fromkeys(stamps)), function)

    def _stamps_in(self, value: Any) -> list[Stamp]:
        found: list[Stamp] = []

        def see(text: str) -> None:
            if text.startswith("/") and "\n" not in text and len(text) < 4096:
                found.extend(self._files_of(text))

        visited(value, see)
        return found

    def _files_of(self, text: str) -> tuple[Stamp, ...]:
        """The file of a path, or all those below a folder of the output directory."""
        if text not in self._stamps:
            path, files = Path(text), list[Path]()
            inside = path.is_relative_to(self._root) and path != self._root
            if not any(path.is_relative_to(place) for place in self._writes):
                if path.is_file():
                    files = [path]
                elif inside and path.is_dir():
                    files = sorted(one for one in path.rglob("*") if one.is_file() and one.name[0] != ".")
            self._stamps[text] = tuple(_stamp(file) for file in files)
            self._offered.update(str(file) for file in files)
        return self._stamps[text]

    # --- answering ------------------------------------------------------------------------------------

    def _heard(self, event: tuple[float, object]) -> None:
        request = json.loads(str(event[1]))
        try:
            self._pool.submit(self._answer, request)
        except RuntimeError:  # closed meanwhile
            logger.debug("a request came too late")

    def _answer(self, request: Mapping[str, Any]) -> None:
        worker = request["worker"]
        try:
            answer = self._done(worker, request)
        except Exception as error:  # its worker waits for an answer, whatever it is
            answer = {"error": " ".join(str(error).split()) or type(error).__name__}
        try:
            self._on(worker, answered, request["number"], answer)
        except Exception as error:  # as above; its task runs again elsewhere
            logger.debug("%s left before its answer: %s", worker, error)

    def _done(self, worker: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if "want" in request:
            return self._given(worker, request["want"])
        if "give" in request:
            self._taken(worker, request["give"])
            return {}
        if "recall" in request:
            path = self._inside(request["recall"])
            if path.is_file():
                self._send(worker, {str(path): request["local"]})
            return {"found": path.is_file()}
        if "keep" in request:
            with atomic_path(self._inside(request["keep"])) as temporary:
                self._receive(worker, {temporary: (request["local"], request["size"])})
            return {}
        self._on(worker, place_credentials, self.mirror.name, self._credentials)
        return {}

    def _given(self, worker: str, wanted: Mapping[str, str]) -> dict[str, Any]:
        """Files that were offered: sent in pieces, or put into the store."""
        strange = sorted(set(wanted) - self._offered)
        if strange:
            raise SiteError(f"A worker asks for {strange[0]}, which no task of its names.")
        if self.mirror.url is None:
            self._send(worker, wanted)
            return {}
        return {"keys": {path: self._stored(Path(path)) for path in wanted}}

    def _stored(self, path: Path) -> str:
        """Name in the store of a file of the client, which is there when this returns."""
        assert self.mirror.url is not None
        stamp = _stamp(path)
        if stamp not in self._keys:
            inside = path.is_relative_to(self._root)
            name = path.relative_to(self._root) if inside else Path("elsewhere", path.name)
            key, store = key_of(str(name), _sha256(path)), Objects(self.mirror.url)
            if not store.has(key, stamp.size):
                patiently(store.put, path, key)
            self._keys[stamp] = key
        return self._keys[stamp]

    def _taken(self, worker: str, gifts: Sequence[Mapping[str, Any]]) -> None:
        """Files that a worker has made, all of them whole and as they were there, or none."""
        paths = [self._inside(gift["path"]) for gift in gifts]
        with ExitStack() as stack:
            temporaries = [stack.enter_context(atomic_path(path)) for path in paths]
            if self.mirror.url is None:
                sources = [(gift["local"], gift["size"]) for gift in gifts]
                self._receive(worker, dict(zip(temporaries, sources, strict=True)))
            else:
                for gift, temporary in zip(gifts, temporaries, strict=True):
                    patiently(Objects(self.mirror.url).get, gift["key"], temporary)
            for gift, temporary in zip(gifts, temporaries, strict=True):
                if _sha256(temporary) != gift["sha256"]:
                    raise SiteError(f"{gift['path']} did not come as its worker wrote it.")
        self._keys |= {_stamp(path): gift["key"] for path, gift in zip(paths, gifts, strict=True)}

    def _inside(self, name: str) -> Path:
        """A path below what the stage at work writes.

        Raises:
            SiteError: it is elsewhere.
        """
        path = (self._root / name).resolve()
        if not any(path.is_relative_to(place) for place in self._writes):
            raise SiteError(f"A worker wants to write {path}, where its stage writes nothing.")
        return path

    def _send(self, worker: str, files: Mapping[str, str]) -> None:
        for segments in _messages(
            [(here, there, Path(here).stat().st_size) for here, there in files.items()]
        ):
            pieces = [(there, offset, _part(here, offset, size)) for here, there, offset, size in segments]
            self._on(worker, write_pieces, pieces)

    def _receive(self, worker: str, files: Mapping[Path, tuple[str, int]]) -> None:
        """Files of a worker, into empty ones here."""
        for segments in _messages([(str(here), there, size) for here, (there, size) in files.items()]):
            wanted = [(there, offset, size) for _, there, offset, size in segments]
            for (here, *_), content in zip(segments, self._on(worker, pieces_of, wanted), strict=True):
                with Path(here).open("ab") as file:
                    file.write(content)

    def _on(self, worker: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function returns on a worker, beside its tasks."""
        return self._client.run(function, *arguments, workers=[worker])[worker]


def carried(client: Client, function: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """The function as it is, or bringing its files where workers do not see those of the client."""
    exchange = exchange_of(client)
    return function if exchange is None else exchange.wrapped(function, *arguments)


def exchange_of(client: Client) -> Exchange | None:
    """That of the run at work; None where workers see the output directory."""
    return _OF_CLIENT.get(client)


def _messages(files: Sequence[tuple[str, str, int]]) -> Iterator[list[Segment]]:
    """Parts of files, in messages that hold no more than one piece."""
    message: list[Segment] = []
    room = PIECE_BYTES
    for here, there, size in files:
        offset = 0
        while True:
            part = min(size - offset, room)
            message.append((here, there, offset, part))
            offset, room = offset + part, room - part
            if room == 0:
                yield message
                message, room = [], PIECE_BYTES
            if offset >= size:
                break
    if message:
        yield message


def _part(path: str, offset: int, size: int) -> bytes:
    with Path(path).open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return Stamp(str(path), status.st_size, status.st_mtime_ns)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
