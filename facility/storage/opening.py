"""Which store serves a run, decided and tried before any of its work."""

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from distributed import Client

from znought.errors import SiteError
from znought.facility.storage.credentials import Credentials, credentials_for, may_travel, place_credentials
from znought.facility.storage.exchange import Exchange
from znought.facility.storage.objects import HOME, Objects, check_url

__all__ = ["Say", "Stores", "declare_store", "stores"]

Say = Callable[[str], None]
_URL_OF: WeakKeyDictionary[Client, str] = WeakKeyDictionary()
_LATE_S = 3.0  # network file systems show a new file of another machine after a while


def declare_store(client: Client, url: str | None) -> None:
    """Notes what the user says about where workers of a client leave files."""
    if url is not None:
        _URL_OF[client] = url


class Stores:
    """The exchanges of one run: one for each client whose workers need it.

    Args:
        directory: output directory.
        say: told in one line where files go, if not the usual way.
    """

    def __init__(self, directory: Path, say: Say) -> None:
        self._root, self._say = directory.resolve(), say
        self._open: dict[Client, Exchange | None] = {}

    def serve(self, client: Client | None, writes: list[Path]) -> None:
        """Makes sure that workers of a client find and leave the files of a stage.

        Raises:
            SiteError: the store refuses client or workers.
        """
        if client is None:
            return
        if client not in self._open:
            self._open[client] = opened(client, self._root, self._say)
        exchange = self._open[client]
        if exchange is not None:
            exchange.stage(writes)

    def close(self) -> None:
        """Ends all of them."""
        for exchange in self._open.values():
            if exchange is not None:
                exchange.close()
        self._open.clear()


@contextmanager
def stores(directory: Path, say: Say) -> Iterator[Stores]:
    """The exchanges of a run, closed after it."""
    found = Stores(directory, say)
    try:
        yield found
    finally:
        found.close()


def opened(client: Client, root: Path, say: Say) -> Exchange | None:
    """The exchange of a client, tried; None where all its workers see the output directory.

    Raises:
        SiteError: the store refuses client or workers.
    """
    url = _URL_OF.get(client)
    credentials = Credentials()
    if url is None:
        blind = _blind_workers(client, root)
        if not blind:
            return None
        say(
            f"{blind} workers do not see {root}: their files come home through Dask "
            "(--store names another way)."
        )
    elif url != HOME:
        credentials = _tried(client, check_url(url))
        say(f"Files of workers go through {url}.")
    exchange = Exchange(client, root, None if url in (None, HOME) else url, credentials)
    exchange.open()
    return exchange


# --- the output directory -----------------------------------------------------------------------------


def _blind_workers(client: Client, root: Path) -> str | None:
    """`N of M` of those that do not read the client's token, or whose own the client does not read."""
    root.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(16)
    file = root / f".znought-{token}"
    file.write_text(token, encoding="utf-8")
    answers: dict[str, str | None] = {}
    try:
        answers = client.run(leave_token, str(file))
        seen = _seen([name for name in answers.values() if name is not None], token)
    finally:
        for path in root.glob(f"{file.name}*"):
            path.unlink(missing_ok=True)
    n_blind = len(answers) - seen
    return f"{n_blind} of {len(answers)}" if n_blind else None


def leave_token(path: str) -> str | None:
    """On a worker: the file that it wrote beside the client's, with the same content; None without both."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
        beside = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
        beside.write_text(text, encoding="utf-8")
    except OSError:
        return None
    return str(beside)


def _seen(names: list[str], token: str) -> int:
    """How many of the workers' files are here, as they were written."""
    end = time.monotonic() + _LATE_S
    while True:
        found = sum(
            Path(name).is_file() and Path(name).read_text(encoding="utf-8") == token for name in names
        )
        if found == len(names) or time.monotonic() > end:
            return found
        time.sleep(0.1)


# --- another place ------------------------------------------------------------------------------------


def _tried(client: Client, url: str) -> Credentials:
    """Credentials for a store that client and workers have been seen to use, each reading the other's token.

    Raises:
        SiteError: one of them cannot, with what to do.
    """
    store = Objects(url)
    credentials = credentials_for(store.kind)
    scheme = str(client.scheduler_info(n_workers=0)["address"]).partition(":")[0]
    travels = bool(credentials) and may_travel(client)
    name = f"znought-{secrets.token_hex(8)}"
    with _token_file(name) as file:
        store.put(file, f"{name}/client")
        if travels and scheme != "inproc":  # in this process they are there already
            client.run(place_credentials, name, credentials)
        answers: dict[str, tuple[bool, str]] = client.run(try_store, url, name)
        try:
            _check_answers(answers, secret=bool(credentials) and not travels)
            for _, key in answers.values():
                _read_back(store, key, name, file)
        finally:
            for key in (f"{name}/client", *(key for good, key in answers.values() if good)):
                store.remove(key)
    return credentials if travels and scheme != "inproc" else Credentials()


@contextmanager
def _token_file(name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="znought-") as folder:
        file = Path(folder, "token")
        file.write_text(name, encoding="utf-8")
        yield file


def try_store(url: str, name: str, dask_worker: Any) -> tuple[bool, str]:
    """On a worker: whether it read the client's token and wrote its own; the name of that, or why not."""
    store, key = Objects(url), f"{name}/{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory(dir=dask_worker.local_directory) as folder:
        file = Path(folder, "token")
        try:
            store.get(f"{name}/client", file)
            store.put(file, key)
        except SiteError as error:
            return False, str(error)
    return True, key


def _check_answers(answers: dict[str, tuple[bool, str]], *, secret: bool) -> None:
    refused = [text for good, text in answers.values() if not good]
    if refused:
        why = " Your credentials stay here: they are sent over tls:// alone." if secret else ""
        raise SiteError(f"{len(refused)} of {len(answers)} workers: {refused[0]}{why}")


def _read_back(store: Objects, key: str, text: str, file: Path) -> None:
    store.get(key, file)
    if file.read_text(encoding="utf-8") != text:
        raise SiteError(f"{store.url}: what a worker wrote does not come back as it was.")
