"""Real servers on loopback, started once for all tests of this folder (as root: `make test-sites`)."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import small_card
from tests.sites.flow import flow
from znought.facility.cluster.sites import connect

SLURM = Path(__file__).with_name("slurm.sh")


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Slurm of one node, with nothing in its queue; jobs leave their logs in a directory of the test."""
    subprocess.run([SLURM, "start"], check=True, stdout=subprocess.DEVNULL)
    with contextlib.chdir(tmp_path_factory.mktemp("slurm")):
        yield
    subprocess.run([SLURM, "stop"], check=True)


@pytest.fixture(scope="session")
def client_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What blind workers do not see: card, input and output."""
    return tmp_path_factory.mktemp("client")


@pytest.fixture(scope="session")
def card(client_folder: Path) -> Path:
    """A run of a few seconds."""
    training = {"n_folds": 2, "n_repeats": 1, "max_epochs": 2, "batch_size": 256, "stop_fraction": 0.2}
    return small_card(client_folder, training=training)


@pytest.fixture(scope="session")
def local(card: Path, client_folder: Path) -> Path:
    """Its output on one disk, undisturbed."""
    output = client_folder / "local"
    with connect("local", workers=2, memory="3GiB") as client:
        flow(card, output, client)
    return output


def jobs() -> list[str]:
    """Identifiers of the jobs that wait or run."""
    listing = subprocess.run(
        ["squeue", "-h", "-t", "PD,R", "-o", "%i"], check=True, capture_output=True, text=True
    )
    return listing.stdout.split()


def wait_for_jobs(count: int, *, seconds: float = 60.0) -> list[str]:
    """Identifiers of the jobs once there are so many, or as many as there are in the end."""
    deadline = time.monotonic() + seconds
    while len(jobs()) != count and time.monotonic() < deadline:
        time.sleep(0.2)
    return jobs()
