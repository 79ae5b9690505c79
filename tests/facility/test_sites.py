"""Clusters are opened and closed, code travels, and what cannot work is said before work is sent."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import pytest
from distributed import Client, LocalCluster

from znought.errors import SiteError
from znought.facility.cluster.options import refuse_plain
from znought.facility.cluster.preflight import (
    check_versions,
    check_workers,
    missing_packages,
    package_archive,
    report_workers,
    wait_for_worker,
)
from znought.facility.cluster.shipping import bring_modules
from znought.facility.cluster.sites import SITES, WORKER_ENVIRONMENT, Site, connect

ROOT = Path(__file__).parents[2]


def test_local_workers_have_one_thread_and_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WORKER_ENVIRONMENT:
        # What a user has set stays: here some library has.
        monkeypatch.delenv(name, raising=False)
    with connect("local", workers=2) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        assert [worker["nthreads"] for worker in workers.values()] == [1, 1]
        for name, value in WORKER_ENVIRONMENT.items():
            assert set(client.run(os.getenv, name).values()) == {value}
        lines = report_workers(client)
        assert lines[0].startswith("2 workers")
        assert "train: every worker has what it needs" in lines


# A process of a facility, which has every library but not this package.
ABSENT = """
import os, sys
sys.path[:] = [entry for entry in sys.path if not os.path.isdir(os.path.join(entry, "znought"))]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
sys.path_hooks[:] = [hook for hook in sys.path_hooks if "editable" not in repr(hook)]
"""


# A process that says it runs another minor version of Python.
OTHER_PYTHON = """
import distributed.versions

told = distributed.versions.get_package_info
distributed.versions.get_package_info = lambda packages: {**told(packages), "python": "3.9.1.final.0"}
"""


@dataclass
class Facility:
    """A scheduler and workers in processes of their own that do not know this package."""

    directory: Path
    stack: ExitStack

    @property
    def file(self) -> Path:
        """Where the scheduler says how to reach it."""
        return self.directory / "scheduler.json"

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return str(json.loads(self.file.read_text())["address"])

    def start(self, *arguments: str) -> None:
        """Starts one of Dask's commands."""
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments, "--no-dashboard", f"--scheduler-file={self.file}"],
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": str(self.directory)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.stack.enter_context(process)
        self.stack.callback(process.terminate)

    def add_worker(self) -> None:
        """One worker more, of one thread."""
        self.start("worker", "--nthreads=1")


@pytest.fixture
def facility(tmp_path: Path, wait_for_file: Callable[[Path], None]) -> Iterator[Facility]:
    (tmp_path / "sitecustomize.py").write_text(ABSENT)
    with ExitStack() as stack:
        facility = Facility(tmp_path, stack)
        facility.start("scheduler", "--host=127.0.0.1", "--port=0")
        wait_for_file(facility.file)
        facility.add_worker()
        yield facility


def test_one_upload_serves_every_worker_that_comes(facility: Facility, tmp_path: Path) -> None:
    for _ in range(3):
        with connect("address", address=facility.address) as client:
            plugins = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.worker_plugins))
            shipped = [name for name in plugins if "shuffle" not in name]
            assert len(shipped) == 1
            assert re.fullmatch(r"znought-[0-9a-f]{16}", shipped[0])
    (tmp_path / "own_cuts.py").write_text("PT_MIN_GEV = 15.0")
    with connect("address", address=facility.address) as client:
        bring_modules(client, {"own_cuts": tmp_path / "own_cuts.py"})
        for _ in range(2):
            facility.add_worker()
        client.wait_for_workers(3, timeout=60)
        check_workers(client, "process")
        for worker in client.scheduler_info(n_workers=-1)["workers"]:
            lacking = client.submit(missing_packages, ["json", "own_cuts"], workers=[worker], pure=False)
            assert lacking.result(timeout=60) == []


def test_new_content_takes_the_place_of_the_old(facility: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect("address", address=facility.address):
        pass

    def changed(directory: Path) -> Path:
        archive = package_archive(directory)
        with zipfile.ZipFile(archive, "a") as bundle:
            bundle.writestr("znought/addition.py", "ANSWER = 42")
        return archive.rename(directory / "znought-0123456789abcdef.zip")

    monkeypatch.setattr("znought.facility.cluster.preflight.package_archive", changed)
    with connect("address", address=facility.address) as client:
        plugins = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.worker_plugins))
        assert [name for name in plugins if "shuffle" not in name] == ["znought-0123456789abcdef"]
        addition = client.submit(eval, "__import__('znought.addition').addition.ANSWER", pure=False)
        assert addition.result(timeout=60) == 42


def test_workers_without_the_package_are_named(facility: Facility) -> None:
    with Client(facility.address) as client:
        wait_for_worker(client)
        with pytest.raises(SiteError, match=r"1 of 1 workers lack znought, which 'process' needs"):
            check_workers(client, "process")


def test_one_bad_worker_is_sent_away(facility: Facility, caplog: pytest.LogCaptureFixture) -> None:
    facility.add_worker()
    with connect("address", address=facility.address) as client:
        client.wait_for_workers(2, timeout=60)
        bad, good = client.scheduler_info()["workers"]
        client.run(lambda: sys.modules.update({"hist": None}), workers=[bad])  # type: ignore[dict-item]
        check_workers(client, "process")
        assert "1 of 2 workers lack hist, which 'process' needs: the others go on" in caplog.text
        assert list(client.scheduler_info()["workers"]) == [good]
        assert client.submit(eval, "__import__('znought').__version__", pure=False).result(timeout=60)
        client.run(lambda: sys.modules.update({"hist": None}))  # type: ignore[dict-item]
        with pytest.raises(SiteError, match="1 of 1 workers lack hist"):
            check_workers(client, "process")


def test_a_worker_that_takes_no_files_does_not_fail_the_others(
    facility: Facility, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    facility.add_worker()
    (tmp_path / "own_cuts.py").write_text("PT_MIN_GEV = 15.0")
    with connect("address", address=facility.address) as client:
        client.wait_for_workers(2, timeout=60)
        bad, good = client.scheduler_info(n_workers=-1)["workers"]

        def lose_disk(dask_worker: Any) -> None:
            dask_worker.local_directory = "/proc/nowhere"

        client.run(lose_disk, workers=[bad])
        bring_modules(client, {"own_cuts": tmp_path / "own_cuts.py"})
        assert "1 of 2 workers lack znought-analysis-" in caplog.text
        assert "which was sent to them: the others go on without them." in caplog.text
        assert list(client.scheduler_info(n_workers=-1)["workers"]) == [good]
        client.run(lose_disk)
        (tmp_path / "own_cuts.py").write_text("PT_MIN_GEV = 20.0")
        with pytest.raises(
            SiteError, match=r"1 of 1 workers lack .*: look at their logs, is their disk full"
        ):
            bring_modules(client, {"own_cuts": tmp_path / "own_cuts.py"})


@dataclass(frozen=True)
class _Versions:
    """A client of workers that run something else."""

    workers: dict[str, dict[str, str]]

    def get_versions(self) -> dict[str, Any]:
        """As distributed answers."""
        mine = {"packages": {"python": "3.11.7.final.0", "dask": "2026.8.0", "distributed": "2026.8.0"}}
        others = {
            name: {"packages": {**mine["packages"], **packages}} for name, packages in self.workers.items()
        }
        return {"client": mine, "scheduler": mine, "workers": others}


def test_workers_of_other_versions_are_refused() -> None:
    older = {"python": "3.12.1.final.0", "dask": "2026.7.0"}
    versions = _Versions({"a": older, "b": {"python": "3.11.9.final.0"}, "c": older})
    message = (
        r"python 3\.12 instead of 3\.11 on 2 workers; dask 2026\.7\.0 instead of 2026\.8\.0 on 2 workers"
    )
    with pytest.raises(SiteError, match=message):
        check_versions(cast(Client, versions))
    check_versions(cast(Client, _Versions({"b": {"python": "3.11.9.final.0"}})))


@pytest.mark.filterwarnings("ignore::distributed.versions.VersionMismatchWarning")
@pytest.mark.parametrize(
    ("package", "difference"),
    [
        ("dask", rf"dask 2020\.1\.0 instead of {version('dask')}.* \(pip install dask==2020\.1\.0 "),
        ("python", r"python 3\.9 instead of 3\.\d+ on the scheduler and 1 worker\. Choose a worker image"),
    ],
)
def test_real_workers_of_another_version_are_refused(
    package: str, difference: str, tmp_path: Path, wait_for_file: Callable[[Path], None]
) -> None:
    if package == "dask":
        metadata = tmp_path / "dask-2020.1.0.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text("Metadata-Version: 2.1\nName: dask\nVersion: 2020.1.0\n")
    else:
        (tmp_path / "sitecustomize.py").write_text(OTHER_PYTHON)
    with ExitStack() as stack:
        facility = Facility(tmp_path, stack)
        facility.start("scheduler", "--host=127.0.0.1", "--port=0")
        wait_for_file(facility.file)
        facility.add_worker()
        with (
            pytest.raises(SiteError, match=difference),
            connect("address", address=facility.address),
        ):
            pass


def test_the_archive_is_importable_and_named_by_content(tmp_path: Path) -> None:
    archive = package_archive(tmp_path)
    assert package_archive(tmp_path) == archive
    with zipfile.ZipFile(archive) as bundle:
        assert {"znought/errors.py", "znought/stats/significance.py"} <= set(bundle.namelist())
    # -S: without the site-packages, so that nothing but the archive can be found.
    code = f"import sys; sys.path.insert(0, {str(archive)!r}); import znought; print(znought.__file__)"
    command = [sys.executable, "-S", "-c", code]
    where = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path).stdout
    assert str(archive) in where


def test_worker_without_a_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from znought.facility.cluster import preflight

    monkeypatch.setitem(preflight.WORKER_PACKAGES, "train", ("json", "no_such_package"))
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
        pytest.raises(SiteError, match="1 of 1 workers lack no_such_package, which 'train' needs"),
    ):
        check_workers(client, "train")


def test_missing_packages_are_those_not_found() -> None:
    assert missing_packages(["json", "no_such_package"]) == ["no_such_package"]


@pytest.mark.parametrize(
    ("site", "options", "message"),
    [
        ("coffea_casa", {}, "did you mean 'coffea-casa'"),
        ("local", {"worker": 2}, "Unknown site option 'worker', did you mean 'workers'"),
        ("local", {"workers": 0}, "workers: expected at least 1, received 0"),
        ("address", {}, "needs --address"),
        (
            "address",
            {"address": "tls://localhost:1", "tls_ca": "ca.pem"},
            "all of tls_ca, tls_cert and tls_key",
        ),
        (
            "address",
            {"address": "tls://localhost:1", "tls_ca": "ca.pem", "tls_cert": "c.pem", "tls_key": "k.pem"},
            "tls_ca: expected a file, received 'ca.pem'",
        ),
        ("address", {"address": "tls://127.0.0.1:1"}, "No Dask scheduler answers at tls://127.0.0.1:1: TLS"),
        ("address", {"address": "tcp://192.0.2.7:8786"}, "is another host without encryption"),
        ("swan", {"address": "dask.example:8786"}, "is another host without encryption"),
        ("address", {"address": "ws://dask.example:8786"}, "is another host without encryption"),
        ("gateway", {"address": "http://gateway.example"}, "is another host without encryption"),
        (
            "local",
            {"queue": "short"},
            "Site 'local' takes no queue. It takes: workers, memory, store, wait_min, stall_min",
        ),
        ("local", {"insecure": True}, "Site 'local' takes no insecure"),
        ("local", {"wait_min": 0}, "wait_min: expected at least 1, received 0"),
        ("slurm", {"walltime": "2h"}, "walltime: expected H:MM:SS, such as 8:00:00. Received: '2h'"),
        ("slurm", {"adapt": "0:9"}, "adapt: expected MIN:MAX, 1 or more, such as 2:40. Received: '0:9'"),
        ("slurm", {"adapt": "1:9", "workers": 3}, "adapt and workers: expected one of them"),
        ("slurm", {"image": "x.sif"}, "Site 'slurm' takes no image"),
        ("gateway", {"proxy_address": "tcp://far.example:1"}, "is another host without encryption"),
    ],
)
def test_wrong_use_is_one_line(site: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SiteError, match=message) as caught, connect(site, **options):
        pass
    assert "\n" not in str(caught.value)


def test_no_scheduler_is_one_line() -> None:
    with (
        pytest.raises(SiteError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"),
        connect("address", address="tcp://127.0.0.1:9"),
    ):
        pass


def test_a_site_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = Site("nowhere", SITES["lxplus"].open, (), requires={"no_such_package": "no-such-package"})
    monkeypatch.setattr("znought.facility.cluster.sites.SITES", {"lxplus": lacking})
    with (
        pytest.raises(SiteError, match=r"needs no-such-package: pip install 'znought\[sites\]'"),
        connect("lxplus"),
    ):
        pass


def test_the_extra_has_what_sites_require() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["sites"]
    offered = {re.split("[<>=~ ]", requirement)[0] for requirement in extra}
    for name, site in SITES.items():
        assert set(site.requires.values()) <= offered, name
        assert not missing_packages(site.requires), name


def test_a_site_without_its_commands_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SiteError, match="needs the command condor_submit"), connect("lxplus"):
        pass


def test_a_plain_address_is_taken_when_asked_for() -> None:
    refuse_plain("tcp://192.0.2.7:9", insecure=True)


@pytest.mark.parametrize(
    "address", ["tcp://localhost:1", "127.0.0.1:1", "tcp://[::1]:1", "tls://far.example:1"]
)
def test_loopback_and_encryption_need_no_leave(address: str) -> None:
    refuse_plain(address, insecure=False)


def test_workers_that_are_slow_to_leave_undo_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(LocalCluster):
        def close(self, timeout: float | None = None) -> None:
            super().close(timeout)
            raise TimeoutError

    monkeypatch.setattr("znought.facility.cluster.sites.LocalCluster", Slow)
    with connect("local", workers=1) as client:
        assert client.submit(sum, (1, 2)).result() == 3
