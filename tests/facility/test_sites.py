"""Clusters are opened and closed, code travels, and what cannot work is said before work is sent."""

import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from znought.errors import SiteError
from znought.facility.preflight import check_workers, missing_packages, package_archive, report_workers
from znought.facility.sites import SITES, WORKER_ENVIRONMENT, Site, connect


def test_local_workers_have_one_thread_and_its_environment() -> None:
    with connect("local", workers=2) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        assert [worker["nthreads"] for worker in workers.values()] == [1, 1]
        for name, value in WORKER_ENVIRONMENT.items():
            assert set(client.run(os.getenv, name).values()) == {value}
        lines = report_workers(client)
        assert lines[0].startswith("2 workers")
        assert "train: every worker has what it needs" in lines


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """A scheduler and a worker in processes of their own, as a facility runs them."""
    where = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    quiet = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    commands = (
        [*dask, "scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard", f"--scheduler-file={where}"],
        [*dask, "worker", "--nthreads=1", "--no-dashboard", f"--scheduler-file={where}"],
    )
    with ExitStack() as stack:
        for command in commands:
            process = stack.enter_context(subprocess.Popen(command, **quiet))  # type: ignore[call-overload]
            stack.callback(process.terminate)
        deadline = time.monotonic() + 60
        while not where.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        yield json.loads(where.read_text())["address"]


def test_an_address_is_joined_and_code_is_sent(scheduler: str) -> None:
    with connect("address", address=scheduler) as client:
        # Only builtins: the worker does not know this test.
        (path,) = client.run(eval, "__import__('sys').path").values()
        assert any(re.fullmatch(r"znought-[0-9a-f]{16}\.zip", Path(entry).name) for entry in path)


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
    from znought.facility import preflight

    monkeypatch.setitem(preflight.WORKER_PACKAGES, "train", ("json", "no_such_package"))
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
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
    ],
)
def test_wrong_use_is_one_line(site: str, options: dict[str, object], message: str) -> None:
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
    lacking = Site("nowhere", SITES["lxplus"].open, requires=("no_such_package",))
    monkeypatch.setattr("znought.facility.sites.SITES", {"lxplus": lacking})
    with (
        pytest.raises(SiteError, match=r"needs no_such_package: install znought\[sites\]"),
        connect("lxplus"),
    ):
        pass
