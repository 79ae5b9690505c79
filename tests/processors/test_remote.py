"""Remote input: root:// against a real xrootd server on loopback, and http against Python's own."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import uproot
from XRootD import client

from tests.processors.fixtures import events, vh_ww_processor, write_nanoaod, write_tree
from tests.processors.servers import free_port, xrootd_server
from znought.errors import DataError
from znought.facility.ntuples import patience
from znought.facility.ntuples.runner import process_fileset
from znought.processors import source
from znought.processors.dialects.files import inspect_file
from znought.processors.evaluated import WHOLE


@pytest.fixture(scope="module")
def served() -> Iterator[Path]:
    """A folder that another user, such as the server's, may read."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        columns = events(300, seed=51)
        write_nanoaod(directory / "a.root", columns)
        with uproot.recreate(directory / "b.root") as file:
            write_tree(file, "Events", {name: values[:100] for name, values in columns.items()})
            for start in (100, 200):  # a basket of each branch for each chunk
                file["Events"].extend({name: values[start : start + 100] for name, values in columns.items()})
        directory.chmod(0o755)
        yield directory


@pytest.fixture(scope="module")
def xrootd(served: Path) -> Iterator[str]:
    """Address of a server that exports the folder, for a client that looks at its timeouts every second."""
    client.EnvPutInt("TimeoutResolution", 1)  # type: ignore[attr-defined,no-untyped-call]  # no stubs
    with xrootd_server(served) as (address, _):
        yield address


@pytest.fixture(scope="module")
def http(served: Path) -> Iterator[str]:
    """Address of a web server on loopback that answers ranges."""
    with _answering(("127.0.0.1", 0), partial(Ranges, directory=str(served))) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def test_a_server_that_is_away_for_a_while_costs_nothing(
    served: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    handler, slept = partial(Ranges, directory=str(served)), list[float]()
    with ExitStack() as stack:
        server = stack.enter_context(_answering(("127.0.0.1", 0), handler))
        place = f"http://127.0.0.1:{server.server_port}/b.root"

        def stop(done: int, _: int) -> None:
            if done == 1:
                stack.close()

        def wait(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 2:  # it is back before the third round
                stack.enter_context(_answering(("127.0.0.1", server.server_port), handler))

        monkeypatch.setattr(patience, "sleep", wait)
        result = process_fileset(
            None, {"x": {"files": [place]}}, vh_ww_processor(), chunk_size=100, progress=stop
        )
    assert (result.results["x"].of(WHOLE).cutflows, result.sums) == _cutflows(str(served / "b.root"))
    assert (result.n_rounds, slept) == (3, list(patience.PAUSES_S))
    assert sum(slept) > 30
    assert f"{place} cannot be read now: tried again in 5 s." in caplog.messages


def test_nobody_waits_for_a_file_that_is_not_there(http: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "sleep", lambda seconds: pytest.fail("it waits"))
    with pytest.raises(DataError, match=r"nowhere\.root: cannot be read"):
        process_fileset(None, {"x": {"files": [f"{http}/nowhere.root"]}}, vh_ww_processor())


@contextmanager
def _answering(address: tuple[str, int], handler: Any) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(address, handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()


class Ranges(SimpleHTTPRequestHandler):
    """Answers a range of bytes, which Python's own handler does not."""

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        first, last = 0, len(content) - 1
        if wanted is not None:
            start, stop = wanted.removeprefix("bytes=").split("-")
            first, last = int(start), min(int(stop or last), last)
        part = content[first : last + 1]
        self.send_response(200 if wanted is None else 206)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _cutflows(path: str) -> Any:
    result = process_fileset(None, {"x": {"files": [path]}}, vh_ww_processor(), chunk_size=100)
    return result.results["x"].of(WHOLE).cutflows, result.sums


def test_root_protocol_gives_the_same_as_the_local_file(xrootd: str, served: Path) -> None:
    assert _cutflows(f"{xrootd}{served}/a.root") == _cutflows(str(served / "a.root"))


def test_missing_remote_file_is_named(xrootd: str, served: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.root: cannot be read: .*no such file") as caught:
        inspect_file(f"{xrootd}{served}/nowhere.root")
    assert "\n" not in str(caught.value)


def test_a_dead_server_is_left_for_another(
    xrootd: str, served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(source._REMOTE, "timeout", 1)
    dead = f"root://127.0.0.1:{free_port()}/{served}/a.root"
    alive = f"{xrootd}{served}/a.root"
    fileset = {"x": {"files": [dead], "replicas": {dead: [alive]}}}
    result = process_fileset(None, fileset, vh_ww_processor(), chunk_size=100)
    assert (result.results["x"].of(WHOLE).cutflows, result.sums) == _cutflows(str(served / "a.root"))
    assert result.read_from == {dead: {alive}}


def test_a_server_that_dies_between_chunks_is_left_for_another(
    xrootd: str, served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(source._REMOTE, "timeout", 1)
    with xrootd_server(served) as (address, process):
        mortal, other = f"{address}{served}/b.root", f"{xrootd}{served}/b.root"

        def kill(done: int, _: int) -> None:
            if done == 1:
                process.kill()
                process.wait(10)

        fileset = {"x": {"files": [mortal], "replicas": {mortal: [other]}}}
        result = process_fileset(None, fileset, vh_ww_processor(), chunk_size=100, progress=kill)
    assert (result.results["x"].of(WHOLE).cutflows, result.sums) == _cutflows(str(served / "b.root"))
    assert result.read_from == {mortal: {mortal, other}}


def test_http_gives_the_same_as_the_local_file(http: str, served: Path) -> None:
    assert _cutflows(f"{http}/a.root") == _cutflows(str(served / "a.root"))
