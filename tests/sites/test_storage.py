"""Stores on real servers, for workers that see neither input nor output: same numbers as on one disk."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.integration.conftest import znought
from tests.sites.blind import Facility, blind_facility
from tests.sites.flow import assert_same, flow
from znought.errors import SiteError
from znought.facility.cluster.sites import connect
from znought.facility.storage.objects import Objects

XROOTD = Path(__file__).with_name("xrootd.sh")
SERVER = "root://localhost:21094/"
KEYS = {"AWS_ACCESS_KEY_ID": "znought", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}


@pytest.fixture(scope="module")
def facility(client_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facility]:
    with blind_facility(tmp_path_factory.mktemp("facility"), client_folder) as facility:
        yield facility


@pytest.fixture(scope="module")
def xrootd() -> Iterator[None]:
    subprocess.run([XROOTD, "start"], check=True, stdout=subprocess.DEVNULL)
    yield
    subprocess.run([XROOTD, "stop"], check=True)


@pytest.fixture(scope="module")
def s3() -> Iterator[None]:
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {
            **KEYS,
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_REGION": "us-east-1",
        }.items():
            patched.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="analysis")
        yield
    server.stop()


@pytest.mark.parametrize("store", [None, f"{SERVER}/data/run", "s3://analysis/run"])
@pytest.mark.usefixtures("xrootd", "s3")
def test_the_numbers_are_those_of_one_disk(
    store: str | None, card: Path, local: Path, facility: Facility, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Generated events go with the copy, which stays valid; all else is made again.
    output = local.with_name(f"output-{str(store).partition(':')[0]}")
    shutil.copytree(local, output)
    with connect("coffea-casa", store=store, **facility.options) as client:
        assert not any(client.run(os.path.exists, str(card)).values())
        (line, *_) = [line for line in flow(card, output, client, start="process") if "workers" in line]
        left = list(facility.folder.rglob("znought-*/output"))
    if store is None:
        assert line.startswith(f"2 of 2 workers do not see {output}: their files come home through Dask")
    else:
        assert line == f"Files of workers go through {store}."
    assert not left
    assert not _secrets(output, facility.folder)
    assert_same(local, output)


@pytest.mark.usefixtures("xrootd", "s3")
@pytest.mark.parametrize("store", [f"{SERVER}/data/many", "s3://analysis/many"])
def test_many_threads_read_at_once(store: str, tmp_path: Path) -> None:
    objects, sizes = Objects(store), [3_000_000 + k for k in range(8)]
    for k, size in enumerate(sizes):
        (tmp_path / f"{k}").write_bytes(bytes(size))
        objects.put(tmp_path / f"{k}", f"{k}")

    def read(n: int) -> bool:
        objects.get(f"{n % 8}", tmp_path / f"read_{n}")
        return (tmp_path / f"read_{n}").stat().st_size == sizes[n % 8]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(100)))


def _secrets(*folders: Path) -> list[Path]:
    """Texts that hold a key."""
    texts = [
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in (".json", ".html") or path.name == "log"
    ]
    return [path for path in texts if KEYS["AWS_SECRET_ACCESS_KEY"] in path.read_text(errors="ignore")]


def test_one_stage_elsewhere(card: Path, local: Path, facility: Facility) -> None:
    output = local.with_name("elsewhere")
    shutil.copytree(local, output)
    options = [
        text for name, value in facility.options.items() for text in (f"--{name.replace('_', '-')}", value)
    ]
    away = ["--site", "coffea-casa", *options, "--at", "tain=local"]
    failed = znought("run", card, "--output", output, "--from", "score", *away, check=False)
    assert failed.returncode == 1
    assert "--at: Unknown stage 'tain', did you mean 'train'?" in failed.stderr


def test_the_numbers_of_two_sites_are_those_of_one(card: Path, local: Path, facility: Facility) -> None:
    output = local.with_name("two-sites")
    shutil.copytree(local, output)
    with (
        connect("local", workers=1, memory="3GiB") as here,
        connect("coffea-casa", **facility.options) as client,
    ):
        flow(card, output, client, start="process", elsewhere={"train": lambda: here})
        tasks = here.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.task_prefixes))
    assert any("train" in task for task in tasks), tasks
    assert_same(local, output)


@pytest.mark.usefixtures("xrootd", "s3")
@pytest.mark.parametrize(
    ("store", "line"),
    [
        (f"{SERVER}/readonly", r"cannot be written to: .*read/only.* Give a folder that your proxy"),
        (f"{SERVER}/elsewhere", r"cannot be written to: .*disallowed.* Give a folder that your proxy"),
        ("s3://anlysis/run", r"cannot be written to: .*bucket does not exist.* Give a bucket that exists"),
        ("CLIENT/scratch", r"2 of 2 workers: .*Give a folder that client and workers see"),
    ],
)
def test_a_store_that_refuses_stops_before_any_work(
    store: str, line: str, card: Path, facility: Facility, client_folder: Path, tmp_path: Path
) -> None:
    store = store.replace("CLIENT", str(client_folder))
    output = tmp_path / "output"
    with (
        connect("coffea-casa", store=store, **facility.options) as client,
        pytest.raises(SiteError, match=line) as raised,
    ):
        flow(card, output, client)
    assert "\n" not in str(raised.value)
    assert not list(output.rglob("*.root"))


def test_packages_are_brought(client_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("bare")
    python = _interpreter(folder)
    package = _package(folder)
    with blind_facility(folder, client_folder, python=python, n_workers=1) as facility:
        with (
            pytest.raises(
                SiteError, match=r"install: .*no_such_wheel\.whl cannot be installed on the workers"
            ),
            connect("coffea-casa", install=(str(folder / "no_such_wheel.whl"),), **facility.options),
        ):
            pass
        with connect("coffea-casa", install=(str(package),), **facility.options) as client:
            assert set(client.run(version, "znought-brought").values()) == {"1.0"}


def _interpreter(folder: Path) -> str:
    """Python of an environment of its own that finds the packages of this one."""
    subprocess.run([sys.executable, "-m", "venv", folder / "environment"], check=True)
    (site,) = (folder / "environment").glob("lib/*/site-packages")
    here = [path for path in sys.path if path.endswith("site-packages")]
    (site / "here.pth").write_text("\n".join(here))
    return str(folder / "environment" / "bin" / "python")


def _package(folder: Path) -> Path:
    """A wheel of one module, made without any index."""
    source = folder / "source"
    source.mkdir()
    (source / "znought_brought.py").write_text('VERSION = "1.0"\n')
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "znought-brought"\nversion = "1.0"\n'
        '[tool.setuptools]\npy-modules = ["znought_brought"]\n'
    )
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel
