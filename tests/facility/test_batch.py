"""Batch sites against the real cluster classes: what is submitted is compared with golden text."""

import re
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from znought.errors import SiteError
from znought.facility.cluster.batch import WORKER_ENVIRONMENT
from znought.facility.cluster.options import SiteOptions
from znought.facility.cluster.sites import SITES

SUBMITTED = Path(__file__).parent / "submitted"


def _plain(text: str) -> str:
    """A job without what differs from run to run."""
    text = text.replace(sys.executable, "PYTHON")
    text = re.sub(r"tls://[0-9.]+:\d+", "tls://HOST:PORT", text)
    text = re.sub(r"\S+/\.znought-logs", "LOGS", text)
    return re.sub(r"\S+/\.znought-tls-\w+", "CERTIFICATES", text)


def _submitted(site: str, options: SiteOptions, queue: Path, wait: Callable[[Path], None]) -> str:
    with SITES[site].open(options):
        wait(queue / "job")
    wait(queue / "cancelled")
    assert "7" in (queue / "cancelled").read_text()
    return _plain((queue / "job").read_text())


@pytest.mark.parametrize(
    ("site", "options"),
    [
        ("slurm", SiteOptions(workers=1, memory="3GiB", queue="short", interface="lo")),
        ("htcondor", SiteOptions(workers=1, interface="lo")),
        ("lxplus", SiteOptions(workers=1, interface="lo")),
    ],
)
def test_a_site_submits_its_golden_job(
    site: str, options: SiteOptions, queue: Path, wait_for_file: Callable[[Path], None]
) -> None:
    with warnings.catch_warnings():
        # dask_lxplus reads with escapes that Python 3.12 deprecates, and resets all filters.
        warnings.simplefilter("ignore", DeprecationWarning)
        job = _submitted(site, options, queue, wait_for_file)
    golden = SUBMITTED / f"{site}.txt"
    assert job == golden.read_text(), f"{golden} differs from:\n{job}"


ASKED = SiteOptions(
    adapt="1:3", account="higgs", walltime="8:30:00", job_lines=("module load gcc",), interface="lo"
)


@pytest.mark.parametrize(
    ("site", "options", "lines"),
    [
        ("slurm", ASKED, ["#SBATCH -A higgs", "#SBATCH -t 08:30:00", "module load gcc"]),
        (
            "htcondor",
            replace(ASKED, image="/images/el9.sif"),
            [
                "accounting_group = higgs",
                "allowed_job_duration = 30600",
                "container_image = /images/el9.sif",
                "module load gcc;",
            ],
        ),
        (
            "lxplus",
            replace(ASKED, image="/cvmfs/unpacked.cern.ch/el9"),
            ['+AccountingGroup = "higgs"', "MY.MaxRuntime = 30600", '"/cvmfs/unpacked.cern.ch/el9"'],
        ),
    ],
)
def test_a_job_is_as_the_user_asks(
    site: str, options: SiteOptions, lines: list[str], queue: Path, wait_for_file: Callable[[Path], None]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        job = _submitted(site, replace(options, log_directory=str(queue / "logs")), queue, wait_for_file)
    for line in lines:
        assert line in job, job
    assert (queue / "logs").is_dir()


def test_every_batch_site_has_a_golden_job() -> None:
    batch = {name for name, site in SITES.items() if site.commands}
    assert batch == {path.stem for path in SUBMITTED.glob("*.txt")}


def test_ctrl_c_still_belongs_to_its_owner(queue: Path, wait_for_file: Callable[[Path], None]) -> None:
    before = signal.getsignal(signal.SIGINT)
    for name in [name for name in sys.modules if name.split(".")[0] == "dask_jobqueue"]:
        del sys.modules[name]
    with SITES["slurm"].open(SiteOptions(workers=1, interface="lo")):
        assert signal.getsignal(signal.SIGINT) is before
        wait_for_file(queue / "job")


def test_an_unknown_interface_is_named(queue: Path) -> None:
    with (
        pytest.raises(SiteError, match="interface: 'ib7' is not a valid network interface"),
        SITES["slurm"].open(SiteOptions(interface="ib7")),
    ):
        pass
    assert not list(queue.glob(".znought-tls-*"))


def test_certificates_need_a_directory(queue: Path) -> None:
    with (
        pytest.raises(SiteError, match=r"shared_directory: .*absent takes no certificates"),
        SITES["slurm"].open(SiteOptions(shared_directory=str(queue / "absent"))),
    ):
        pass


def test_workers_are_told_of_their_threads() -> None:
    for site in ("slurm", "htcondor", "lxplus"):
        text = (SUBMITTED / f"{site}.txt").read_text()
        for name, value in WORKER_ENVIRONMENT.items():
            assert f"export {name}={value}" in text
