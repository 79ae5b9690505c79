"""Workers that do not see the client's disk find their files and leave what they make."""

import base64
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from distributed import Client, LocalCluster, get_worker

from znought.errors import DataError, SiteError
from znought.facility.cluster.options import SiteOptions
from znought.facility.cluster.tasks import arrivals, spread, submit
from znought.facility.storage import exchange, mirror, objects, opening
from znought.facility.storage.credentials import (
    Credentials,
    credentials_for,
    may_travel,
    place_credentials,
)
from znought.facility.storage.mirror import keep, pieces_of, recall, write_pieces
from znought.facility.storage.objects import Objects, check_url
from znought.facility.storage.opening import declare_store, stores
from znought.facility.storage.paths import moved

_leave_token = opening.leave_token


@dataclass(frozen=True)
class Job:
    """What a task is given: texts and paths deep inside."""

    files: tuple[str, ...]
    target: Path
    notes: Any = None

    def name(self, *parts: Any, **named: Any) -> str:
        """A method, which is bound to what travels."""
        return "/".join([self.target.name, *map(str, parts), *named])


def _elsewhere(text: str) -> str:
    return text.replace("/here", "/there", 1) if text.startswith("/here") else text


def test_paths_move_wherever_they_stand() -> None:
    job = Job(("/here/a", "b"), Path("/here/c"), MappingProxyType({"/here/k": [1, {"/here/x"}]}))
    there = moved(partial(job.name, "/here/d", job=(job, None)), _elsewhere)
    assert there.args == ("/there/d",)
    assert there.func.__self__.target == Path("/there/c")
    assert there.keywords["job"][0] == Job(
        ("/there/a", "b"), Path("/there/c"), {"/there/k": [1, {"/there/x"}]}
    )
    untouched = Job(("a",), Path("c"), {"k": [b"/here"]})
    assert moved(untouched, _elsewhere) is untouched


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("s3://key:secret@bucket", "without password, token or options"),
        ("root://host//data?authz=Bearer%20abc", "without password, token or options"),
        ("gs://bucket", "expected home, /a/folder, root://host//folder or s3://bucket/folder"),
        ("data", "Received: 'data'"),
    ],
)
def test_other_stores_are_refused(url: str, line: str) -> None:
    with pytest.raises(SiteError, match=line) as raised:
        SiteOptions(store=url)
    assert "secret" not in str(raised.value)
    assert "Bearer" not in str(raised.value)


def test_urls_keep_their_meaning() -> None:
    assert [check_url(url) for url in ("home", "/eos/x/", "root://host//eos/x/", "s3://bucket")] == [
        "home",
        "/eos/x",
        "root://host//eos/x",
        "s3://bucket",
    ]


# --- a cluster whose workers are given copies ---------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", memory_limit=None
    ) as cluster:
        yield cluster


@contextmanager
def _served(cluster: LocalCluster, root: Path, store: str, *writes: str) -> Iterator[Client]:
    with Client(cluster) as client, stores(root, print) as served:
        declare_store(client, store)
        served.serve(client, [root / name for name in writes])
        yield client


@pytest.fixture(params=["home", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "home":
        return "home"
    folder = tmp_path / "store"
    folder.mkdir()
    return str(folder)


def _doubled(job: Job) -> tuple[list[str], int]:
    """On a worker: a file for each that it is given, twice as long."""
    written = []
    for name in job.files:
        content = Path(name).read_bytes()
        path = job.target / Path(name).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content * 2)
        written.append(str(path))
    return written, sum(Path(name).stat().st_mtime_ns for name in job.files)


def _inputs(root: Path, *sizes: int) -> tuple[str, ...]:
    files = [root / "columns" / f"{number}.bin" for number in range(len(sizes))]
    for file, size in zip(files, sizes, strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(size))
    return tuple(map(str, files))


def test_files_go_and_come_in_bounded_pieces(
    cluster: LocalCluster, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "PIECE_BYTES", 1000)
    sizes: list[int] = []
    monkeypatch.setattr(exchange.Exchange, "_on", _measured(exchange.Exchange._on, sizes))
    root = tmp_path / "output"
    files = _inputs(root, 0, 1, 999, 1000, 4321)
    with _served(cluster, root, store, "scores") as client:
        jobs = [Job((name,), root / "scores") for name in files] + [Job(files, root / "scores")]
        futures = spread(client, _doubled, jobs)
        for future, job in zip(futures, jobs, strict=True):
            names, times = future.result(timeout=60)
            assert names == [str(root / "scores" / Path(name).name) for name in job.files]
            assert times == sum(Path(name).stat().st_mtime_ns for name in job.files)
    for name in files:
        assert (root / "scores" / Path(name).name).read_bytes() == Path(name).read_bytes() * 2
    assert sorted(path.name for path in root.rglob(".*")) == []
    assert (max(sizes, default=0) == 1000) is (store == "home")


def _measured(on_worker: Callable[..., Any], sizes: list[int]) -> Callable[..., Any]:
    """A call on a worker that notes how many bytes of files went or came with it."""

    def measured(self: exchange.Exchange, worker: str, function: Any, *arguments: Any) -> Any:
        found = on_worker(self, worker, function, *arguments)
        if function is pieces_of:
            sizes.append(sum(map(len, found)))
        elif function is write_pieces:
            sizes.append(sum(len(content) for _, _, content in arguments[0]))
        return found

    return measured


def _length(folder: str) -> list[int]:
    return [path.stat().st_size for path in sorted(Path(folder).rglob("*"))]


def test_a_folder_stands_for_what_is_in_it_now(cluster: LocalCluster, tmp_path: Path, store: str) -> None:
    root = tmp_path / "output"
    _inputs(root, 10, 20)
    with _served(cluster, root, store, "scores") as client:
        assert submit(client, _length, str(root / "columns")).result(timeout=30) == [10, 20]
    (root / "columns" / "0.bin").write_bytes(b"new")
    (root / "columns" / "1.bin").unlink()
    with _served(cluster, root, store, "scores") as client:
        assert submit(client, _length, str(root / "columns")).result(timeout=30) == [3]


def test_a_stage_is_not_given_what_it_is_about_to_write(cluster: LocalCluster, tmp_path: Path) -> None:
    root = tmp_path / "output"
    _inputs(root, 10)
    with _served(cluster, root, "home", "columns") as client:
        assert submit(client, _length, str(root / "columns")).result(timeout=30) == []


def _spoiled(path: str) -> None:
    raise DataError(f"{path}: damaged.")


def test_errors_name_the_client_s_file(cluster: LocalCluster, tmp_path: Path, store: str) -> None:
    (name,) = _inputs(tmp_path, 10)
    with (
        _served(cluster, tmp_path, store, "scores") as client,
        pytest.raises(DataError, match=f"^{name}: damaged.$"),
    ):
        submit(client, _spoiled, name).result(timeout=30)


def _trained(checkpoint: Path) -> tuple[str, str]:
    """On a worker: what an earlier task left, and where; it leaves something itself."""
    recall(checkpoint)
    found = checkpoint.read_text() if checkpoint.exists() else ""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.write_text(found + "x")
    keep(checkpoint)
    checkpoint.unlink()
    return found, get_worker().address


def test_a_checkpoint_goes_on_at_another_worker(cluster: LocalCluster, tmp_path: Path, store: str) -> None:
    path = tmp_path / "models" / "checkpoints" / "fold.npz"
    with _served(cluster, tmp_path, store, "models") as client:
        workers = sorted(client.scheduler_info()["workers"])
        call = exchange.carried(client, _trained, path)
        (first, here), (second, there) = (
            client.submit(call, path, workers=[worker], pure=False).result(timeout=30) for worker in workers
        )
    assert (first, second) == ("", "x")
    assert here != there
    assert path.read_text() == "xx"


def _thief(path: bytes) -> Any:
    current = mirror._CURRENT.get()
    assert current is not None
    return current.ask(want={path.decode(): f"{current.folder}/x"})


def _intruder(name: str) -> Any:
    current = mirror._CURRENT.get()
    assert current is not None
    return current.ask(keep=name, local="/dev/null", size=0)


def test_workers_get_and_write_nothing_else(cluster: LocalCluster, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    with _served(cluster, tmp_path / "output", "home", "models") as client:
        with pytest.raises(SiteError, match="which no task of its names"):
            submit(client, _thief, str(secret).encode()).result(timeout=30)
        with pytest.raises(SiteError, match="where its stage writes nothing"):
            submit(client, _intruder, "models/../../secret").result(timeout=30)
    assert secret.read_text() == "x"


def test_fetched_files_do_not_fill_the_disk(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "MOST_BYTES", 2500)
    root = tmp_path / "output"
    files = _inputs(root, *[1000] * 6)
    with _served(cluster, root, "home", "scores") as client:
        for future in arrivals(
            client, spread(client, _doubled, [Job((name,), root / "scores") for name in files])
        ):
            future.result()
        kept = [file.size for file in mirror._PRESENT.values() if file.path in files]
    assert sum(kept) <= 2 * 2500
    assert len(list((root / "scores").iterdir())) == 6


def test_a_store_may_stumble(cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PAUSES_S", (0.0, 0.0, 0.0))
    root, store = tmp_path / "output", tmp_path / "store"
    files = _inputs(root, 10)
    store.mkdir()
    with _served(cluster, root, str(store), "scores") as client:
        for failures, ends in ((3, True), (4, False)):
            left = [None] * failures
            monkeypatch.setattr(Objects, "_put", _stumbling(Objects._put, left))
            future = submit(client, _doubled, Job(files, root / "scores"))
            if ends:
                assert future.result(timeout=30)[0] == [str(root / "scores" / "0.bin")]
            else:
                with pytest.raises(SiteError, match="cannot be written to: gone"):
                    future.result(timeout=30)
            assert not left
            monkeypatch.undo()
            monkeypatch.setattr(objects, "PAUSES_S", (0.0, 0.0, 0.0))


def _stumbling(put: Callable[..., None], left: list[None]) -> Callable[..., None]:
    def stumbling(self: Objects, source: Path, key: str) -> None:
        # The client's own file goes first: only what a worker writes is in question.
        if left and "scores" in key:
            left.pop()
            raise OSError("gone")
        put(self, source, key)

    return stumbling


# --- before any work ----------------------------------------------------------------------------------


def test_workers_that_see_the_output_directory_use_it(cluster: LocalCluster, tmp_path: Path) -> None:
    said: list[str] = []
    with Client(cluster) as client:
        assert opening.opened(client, tmp_path / "output", said.append) is None
    assert said == []
    assert list((tmp_path / "output").iterdir()) == []


def _leave_token_on_one(path: str, dask_worker: Any) -> str | None:
    return None if dask_worker.name == 0 else _leave_token(path)


def test_one_blind_worker_brings_everything_home(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "leave_token", _leave_token_on_one)
    said: list[str] = []
    with Client(cluster) as client:
        found = opening.opened(client, tmp_path, said.append)
        assert found is not None
        found.close()
    (line,) = said
    assert line.startswith(f"1 of 2 workers do not see {tmp_path}: their files come home through Dask")


def test_a_folder_that_cannot_be_written_to_stops_before_any_work(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(SiteError, match=r"cannot be written to: .*Give a folder that client and workers see"),
        _served(cluster, tmp_path / "output", str(tmp_path / "file" / "folder")),
    ):
        pass


def _token(end: float) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": end}).encode()).decode().rstrip("=")
    return f"e30.{claims}.c2ln"


def test_expired_and_missing_credentials_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("X509_USER_PROXY", "BEARER_TOKEN_FILE", "BEARER_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "token"
    file.write_text(_token(time.time() - 60))
    monkeypatch.setenv("BEARER_TOKEN_FILE", str(file))
    with pytest.raises(SiteError, match=f"The token in {file} expired on .* UTC: get a new one"):
        credentials_for("root")
    file.write_text(_token(time.time() + 60))
    assert credentials_for("root").files == {"BEARER_TOKEN_FILE": file.read_bytes()}
    file.unlink()
    with pytest.raises(SiteError, match="BEARER_TOKEN_FILE: there is no file"):
        credentials_for("root")


def test_an_expired_proxy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BEARER_TOKEN_FILE", "BEARER_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "proxy.pem"
    monkeypatch.setenv("X509_USER_PROXY", str(file))
    file.write_bytes(_certificate(timedelta(hours=-1)))
    with pytest.raises(SiteError, match=f"The proxy {file} expired on .* UTC: renew it with voms-proxy-init"):
        credentials_for("root")
    file.write_bytes(_certificate(timedelta(hours=1)))
    assert credentials_for("root").files == {"X509_USER_PROXY": file.read_bytes()}
    file.write_text("nothing")
    with pytest.raises(SiteError, match=f"{file} holds no certificate"):
        credentials_for("root")


def _certificate(life: timedelta) -> bytes:
    """A certificate that ends so much later than now, as the first part of a proxy file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "proxy")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + life)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_credentials_are_given_to_their_user_alone(cluster: LocalCluster, tmp_path: Path) -> None:
    found = Credentials({}, {"ZNOUGHT_TEST_PROXY": b"secret"})
    with Client(cluster) as client:
        worker = next(iter(client.scheduler_info()["workers"]))
        client.run(place_credentials, "znought-test", found, workers=[worker])
        file = Path(os.environ.pop("ZNOUGHT_TEST_PROXY"))
    assert file.read_bytes() == b"secret"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o400, 0o700)


@pytest.mark.parametrize(
    ("address", "travels"),
    [
        ("tls://dask.example:8786", True),
        ("wss://dask.example", True),
        ("tcp://127.0.0.1:8786", True),
        ("inproc://192.0.2.1/1/1", True),
        ("tcp://192.0.2.1:8786", False),
        ("ws://dask.example", False),
    ],
)
def test_credentials_travel_encrypted_alone(address: str, travels: bool) -> None:
    assert may_travel(cast(Client, _Scheduler(address))) is travels


@dataclass(frozen=True)
class _Scheduler:
    """A client that says where its scheduler is."""

    address: str

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        """As distributed answers."""
        assert n_workers == 0
        return {"address": self.address}


def test_credentials_are_never_shown() -> None:
    found = Credentials({"AWS_SECRET_ACCESS_KEY": "secret"}, {"X509_USER_PROXY": b"secret"})
    assert "secret" not in repr(found)


def test_a_package_that_is_missing_has_a_remedy() -> None:
    line = Objects("s3://bucket").refusal(ImportError("Install s3fs"), "be read")
    assert line == "s3://bucket needs the package s3fs on client and workers: `--install s3fs`."
