"""Lost clients, schedulers and workers, short lives, full disks, a cut line: the same numbers in the end."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FunctionType

import pytest

from tests.processors.fixtures import events, vh_ww_processor, write_nanoaod
from tests.processors.servers import free_port, xrootd_server
from tests.sites.flow import BARS, assert_same, flow
from tests.sites.mortal import Mortal, mortal_facility
from znought.errors import SiteError, ZnoughtError
from znought.facility.cluster.sites import connect
from znought.facility.ntuples.runner import process_fileset
from znought.processors.evaluated import WHOLE


@pytest.fixture
def facility(tmp_path: Path) -> Iterator[Mortal]:
    with mortal_facility(tmp_path) as facility:
        yield facility


# --- clients, schedulers, workers ---------------------------------------------------------------------


def test_every_stage_survives_the_loss_of_client_scheduler_and_workers(
    card: Path, local: Path, facility: Mortal
) -> None:
    output = local.with_name("lost")
    facility.start()
    for stage in BARS:
        _lose_client(card, output, facility, stage)
        with (
            pytest.raises(SiteError, match="connection to the scheduler is lost: the same command again"),
            connect("address", **facility.options) as client,
        ):
            flow(card, output, client, strikes={stage: facility.kill_scheduler})
        facility.kill_workers()
        facility.start()
        with connect("address", **facility.options) as client:
            flow(card, output, client, last=stage, strikes={stage: facility.replace_workers})
    _lose_client(card, output, facility, "optimise")
    with connect("address", **facility.options) as client:
        flow(card, output, client)
    assert_same(local, output)


def _lose_client(card: Path, output: Path, facility: Mortal, stage: str) -> None:
    """Runs the command line and kills it at the first progress of a stage, or where it begins."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in facility.options.items()]
    command = [sys.executable, "-m", "znought.facility.cli", "run", str(card), "--output", str(output)]
    sign = f"  {BARS[stage]}:" if stage in BARS else f"{stage} "
    with subprocess.Popen(
        [*command, "--site", "address", *options],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stderr is not None
        printed, guard = list[str](), threading.Timer(600, process.terminate)
        guard.start()
        for line in process.stderr:
            printed.append(line)
            if line.startswith(sign):
                process.kill()
        guard.cancel()
        assert process.wait(timeout=120) == -signal.SIGKILL, "".join(printed)


def test_workers_of_a_short_life(card: Path, local: Path, facility: Mortal) -> None:
    output = local.with_name("short")
    shutil.copytree(local, output)
    facility.start(n_workers=0)
    with _replaced(facility) as started, connect("address", **facility.options) as client:
        flow(card, output, client, start="process")
    assert len(started) > 2, "no worker came to its end"
    assert_same(local, output)


@contextmanager
def _replaced(facility: Mortal) -> Iterator[list[float]]:
    """Two workers at any time, in place of each that ends another one; their lives in seconds.

    Lives begin short and grow, so that a slow machine comes to an end, too.
    """
    lives, over = list[float](), threading.Event()

    def keep() -> None:
        while not over.is_set():
            alive = sum(process.poll() is None for process in facility.workers)
            for _ in range(2 - alive):
                lives.append(8.0 * 1.3 ** len(lives))
                facility.add_worker(f"--lifetime={lives[-1]:.1f}s")
            over.wait(0.3)

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield lives
    finally:
        over.set()
        thread.join()


# --- the network --------------------------------------------------------------------------------------

CUT_S = float(os.environ.get("ZNOUGHT_CUT_S", "16"))
PATIENCE_S = float(os.environ.get("ZNOUGHT_PATIENCE_S", "11"))
"""How long the line is cut, and how patient Dask is with a silent one (11 at least): 60 and 30 in life."""


@contextmanager
def _namespace() -> Iterator[tuple[str, Callable[[str], None]]]:
    """A network namespace that sees this machine as 10.213.57.1, and what sets its line `up` or `down`."""
    name, here, there = "znought-cut", "zn-here", "zn-there"

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True)

    subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    subprocess.run(["ip", "link", "del", here], check=False, capture_output=True)
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        run("ip", "addr", "add", "10.213.57.1/30", "dev", here)
        run("ip", "link", "set", here, "up")
        for command in ("addr add 10.213.57.2/30 dev zn-there", "link set zn-there up", "link set lo up"):
            run("ip", "-n", name, *command.split())
        yield name, lambda state: run("ip", "link", "set", here, state)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", here], check=False, capture_output=True)


def test_a_worker_whose_network_is_cut_for_a_while(tmp_path: Path) -> None:
    path = write_nanoaod(tmp_path / "a.root", events(400, seed=7))
    fileset, cut = {"x": {"files": [path]}}, list[threading.Timer]()
    patience = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": f"{PATIENCE_S:.0f}s"}
    with (
        _namespace() as (namespace, line),
        mortal_facility(tmp_path, host="10.213.57.1", **patience) as facility,
    ):
        facility.start(n_workers=1)
        facility.add_worker(within=["ip", "netns", "exec", namespace])

        def strike(done: int, total: int) -> None:
            if not cut:
                line("down")
                cut.append(threading.Timer(CUT_S, line, ["up"]))
                cut[0].start()

        processor = vh_ww_processor(tmp_path / "there")
        with connect("address", **facility.options) as client:
            client.wait_for_workers(2, timeout=120)
            found = process_fileset(client, fileset, processor, chunk_size=2, progress=strike)
        cut[0].join()
    expected = process_fileset(None, fileset, vh_ww_processor(tmp_path / "here"))
    assert found.results["x"].of(WHOLE).cutflows == expected.results["x"].of(WHOLE).cutflows
    assert found.n_events("x") == 400


# --- servers ------------------------------------------------------------------------------------------

AWAY_S = float(os.environ.get("ZNOUGHT_AWAY_S", "12"))
"""How long the input server is gone: 30 in life."""


def test_an_input_server_that_is_gone_for_a_while() -> None:
    with TemporaryDirectory() as name, ExitStack() as stack:
        served, port = Path(name), free_port()
        served.chmod(0o755)
        write_nanoaod(served / "a.root", events(400, seed=7))
        _, process = stack.enter_context(xrootd_server(served, port))
        back = threading.Timer(AWAY_S, lambda: stack.enter_context(xrootd_server(served, port)))

        def strike(done: int, total: int) -> None:
            if done == 1:
                process.kill()
                process.wait(10)
                back.start()

        fileset = {"x": {"files": [f"root://127.0.0.1:{port}/{served}/a.root"]}}
        found = process_fileset(None, fileset, vh_ww_processor(), chunk_size=100, progress=strike)
        back.join()
        expected = process_fileset(None, {"x": {"files": [str(served / "a.root")]}}, vh_ww_processor())
    assert found.results["x"].of(WHOLE).cutflows == expected.results["x"].of(WHOLE).cutflows
    # Its client asks for the server again while requests wait.
    assert found.n_rounds == 1 or AWAY_S > 20


# --- disks --------------------------------------------------------------------------------------------


OWN_DISK = (
    "mount --make-rprivate / && mount -t tmpfs -o size=64m none local && "
    'mount -t tmpfs none "$0" && exec "$@"'
)
"""A worker whose disk is 64 MB, in a mount namespace in which the folder `$0` is empty."""


def _filled(folder: str) -> None:
    """Takes all room of a disk."""
    import contextlib
    from pathlib import Path

    with contextlib.suppress(OSError), Path(folder, "filler").open("ab", buffering=0) as file:
        while True:
            file.write(bytes(2**16))


def by_value(function: Callable[[str], None]) -> Callable[[str], None]:
    """A copy that travels whole: workers have no tests."""
    copied = FunctionType(function.__code__, {}, function.__name__)
    copied.__module__ = "__main__"
    return copied


def _freed(folder: str) -> None:
    from pathlib import Path

    Path(folder, "filler").unlink()


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_of_the_client_stops_in_one_line_and_resumes(
    card: Path, local: Path, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    with _small_disk(output), connect("local", workers=2, memory="3GiB") as client:
        shutil.copytree(local, output, dirs_exist_ok=True)
        for stage in ("process", "train", "score", "optimise"):
            full = dict.fromkeys((f"{stage} begins", stage), partial(_filled, str(output)))
            with pytest.raises(ZnoughtError, match=r"disk is full .*No space left on device") as caught:
                flow(card, output, client, start=stage, last=stage, strikes=full)
            assert "\n" not in str(caught.value)
            _freed(str(output))
            flow(card, output, client, last=stage)
        flow(card, output, client)
        assert_same(local, output)


def test_a_full_disk_of_the_workers_stops_in_one_line_and_resumes(
    card: Path, local: Path, client_folder: Path, facility: Mortal
) -> None:
    output = local.with_name("full")
    shutil.copytree(local, output)
    facility.start(n_workers=0)
    for _ in range(2):
        facility.add_worker(within=["unshare", "-m", "sh", "-c", OWN_DISK, str(client_folder)])
    with connect("address", **facility.options) as client:
        client.wait_for_workers(2, timeout=120)

        def on_workers(function: Callable[[str], None]) -> None:
            code = by_value(function)
            client.run(lambda dask_worker: code(dask_worker.local_directory))

        full = {"process begins": partial(on_workers, _filled)}
        with pytest.raises(ZnoughtError, match=r"Worker .*: its disk is full .*Make room there") as caught:
            flow(card, output, client, start="process", strikes=full)
        assert "\n" not in str(caught.value)
        on_workers(_freed)
        flow(card, output, client)
    assert_same(local, output)
