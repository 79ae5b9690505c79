"""Training and search on a real cluster whose workers are killed, retired and restarted under them."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster, Worker

from znought.facility.card_sections import CrossFit
from znought.facility.learning import LearningPlan, training_data
from znought.facility.merit import StopMerit
from znought.facility.searching import FULL, Outcome, _restart_if_full, drive
from znought.facility.sites import WORKER_ENVIRONMENT
from znought.facility.stages.train import EPOCHS_TOPIC, train_one
from znought.facility.stages.tune import Task
from znought.facility.store import write_parquet
from znought.models.network import NetworkConfig
from znought.models.samples import stop_rows
from znought.models.search import Search, SearchConfig
from znought.models.space import SpaceConfig
from znought.models.training import TrainedFold, TrainingConfig
from znought.processors.regions import Cut, Region
from znought.stats.binning import BinningConfig

FEATURES = ("pt_l0", "m_ll", "m_jj")
CLASSES = ("VH", "top")
NETWORK = NetworkConfig(hidden_nodes=(8,))
SEARCH = SearchConfig(
    n_trials=5,
    min_epochs=2,
    max_epochs=6,
    space=SpaceConfig(nodes=(4,), n_layers=(1, 1), activations=("elu",), learning_rate=(1e-4, 1e-2)),
)
PATIENT = TrainingConfig(n_folds=2, batch_size=8, max_epochs=40, patience=40, salt="t")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> LearningPlan:
    columns = tmp_path_factory.mktemp("columns")
    random = np.random.default_rng(0)
    for number, dataset in enumerate(("vh", "ttbar")):
        n_events = 4000
        table: dict[str, np.ndarray] = {
            "run": np.full(n_events, number + 1, np.uint32),
            "luminosityBlock": np.ones(n_events, np.uint32),
            "event": np.arange(n_events, dtype=np.uint64),
            "response": np.zeros(n_events, np.uint8),
            "gen_weight": np.ones(n_events),
        }
        for name in FEATURES:
            table[name] = random.normal(50.0 + 5.0 * number, 10.0, n_events).astype(np.float32)
        write_parquet(columns / dataset / "nominal" / "a.parquet", table)
    return LearningPlan(
        columns=str(columns),
        class_of={"vh": 0, "ttbar": 1},
        others=(),
        scale={"vh": 1.0, "ttbar": 1.0},
        classes=CLASSES,
        features=FEATURES,
        training=PATIENT,
    )


@contextmanager
def _cluster() -> Iterator[Client]:
    settings = {"distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT}
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit="4GiB"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with _cluster() as client:
        yield client


@pytest.fixture
def fresh() -> Iterator[Client]:
    """A cluster that no other test has taken workers from."""
    with _cluster() as client:
        yield client


@pytest.fixture(scope="module")
def undisturbed(plan: LearningPlan, client: Client, tmp_path_factory: pytest.TempPathFactory) -> TrainedFold:
    folder = tmp_path_factory.mktemp("calm")
    trained: TrainedFold = client.submit(train_one, plan, 0, NETWORK, str(folder)).result()
    return trained


def _kill(client: Client, address: str) -> None:
    os.kill(client.run(os.getpid, workers=[address])[address], signal.SIGKILL)


def _retire(client: Client, address: str) -> None:
    """What the end of a worker's planned life does, where a nanny brings up the next one."""

    async def leave(dask_worker: Worker) -> None:
        await dask_worker.close_gracefully(restart=True)

    client.run(leave, workers=[address], wait=False)


def _busy(client: Client) -> str:
    """Address of a worker that has a task."""
    return next(str(address) for address, keys in client.processing().items() if keys)


def _epochs(client: Client) -> list[int]:
    notes = client.get_events(EPOCHS_TOPIC) or ()
    return [json.loads(note)["epoch"] for _, note in notes]


@pytest.mark.parametrize("disturb", [_kill, _retire])
def test_a_worker_lost_in_mid_fold_costs_an_epoch_and_changes_nothing(
    plan: LearningPlan,
    client: Client,
    undisturbed: TrainedFold,
    tmp_path: Path,
    disturb: Callable[[Client, str], None],
) -> None:
    before = len(_epochs(client))
    future = client.submit(train_one, plan, 0, NETWORK, str(tmp_path), pure=False, retries=2)
    while len(_epochs(client)) < before + 5:
        time.sleep(0.05)
    disturb(client, _busy(client))
    trained = future.result(timeout=60)
    assert trained.sha256 == undisturbed.sha256
    assert trained.history["stop_auc"] == undisturbed.history["stop_auc"]
    reported = _epochs(client)[before:]
    # At most the epoch under way is done twice; those that the old process finished while it was
    # leaving are in the checkpoint, though their report may be lost.
    assert len(reported) <= PATIENT.max_epochs + 1
    assert len(trained.history["loss"]) == PATIENT.max_epochs


def test_a_search_that_loses_both_workers_accounts_for_every_trial(
    plan: LearningPlan, fresh: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fresh.cluster
    scheduler = fresh.cluster.scheduler
    search = Search(SEARCH, NETWORK, tmp_path / "trials.log")
    victims: list[str] = []

    def kill(done: int, total: int, text: str) -> None:
        """The worker of a trial under way, twice; the second time its job is not given to another."""
        if len(victims) < 2 and any(fresh.processing().values()):
            victims.append(_busy(fresh))
            monkeypatch.setattr(scheduler, "allowed_failures", 3 if len(victims) == 1 else 0)
            _kill(fresh, victims[-1])

    drive(fresh, search, Task(plan, None, str(tmp_path)), kill)
    states = [trial.state for trial in search.trials()]
    assert len(victims) == 2
    assert search.finished
    assert len(states) == SEARCH.n_trials
    assert set(states) <= {"complete", "pruned", "failed"}
    assert states.count("failed") == 1
    assert search.best()[0].value == max(trial.value or 0.0 for trial in search.trials())


def test_a_full_worker_is_restarted_when_nothing_runs_on_it(fresh: Client) -> None:
    address = next(iter(fresh.scheduler_info(n_workers=-1)["workers"]))
    pids = fresh.run(os.getpid)
    full = Outcome(0.5, address, int((FULL + 0.01) * 4 * 2**30))
    busy = fresh.submit(time.sleep, 1.0, workers=[address], pure=False)
    while not fresh.processing()[address]:
        time.sleep(0.01)
    _restart_if_full(fresh, full)
    _restart_if_full(fresh, replace(full, memory=2**30))
    busy.result()
    assert fresh.run(os.getpid) == pids
    busy.release()
    while fresh.processing()[address]:
        time.sleep(0.01)
    _restart_if_full(fresh, full)
    assert set(fresh.run(os.getpid).values()) & set(pids.values()) == set(pids.values()) - {pids[address]}


MERIT = StopMerit(
    signal=("vh",),
    signal_class="VH",
    region=Region("signal", (Cut("m_jj", 30.0, None),)),
    binning=BinningConfig(lower=0.0, upper=1.0),
    crossfit=CrossFit(),
)


def test_the_significance_of_a_trial_comes_from_the_stop_part_alone(
    plan: LearningPlan, undisturbed: TrainedFold
) -> None:
    data = training_data(plan)
    seen = np.zeros(len(data.fold), np.bool_)
    seen[stop_rows(data, 0, plan.training)] = True
    assert 0.02 < seen.mean() < 0.08
    assert not np.isin(data.fold[seen], (0, -1)).any()
    disturbed = replace(
        data,
        features=np.where(seen[:, None], data.features, 1e3).astype(np.float32),
        weights=np.where(seen, data.weights, 1e3),
    )
    value = MERIT.of(plan, data, undisturbed)
    assert MERIT.of(plan, disturbed, undisturbed) == value
    assert value > 0.1
    blind = replace(data, features=np.where(seen[:, None], 50.0, data.features).astype(np.float32))
    assert MERIT.of(plan, blind, undisturbed) < value


def test_a_network_that_diverges_fails_its_trial_alone(
    plan: LearningPlan, client: Client, tmp_path: Path
) -> None:
    wild = replace(SEARCH, n_trials=1, space=replace(SEARCH.space, learning_rate=(1e29, 1e30)))
    search = Search(
        wild, replace(NETWORK, batch_normalisation=False, optimiser="sgd"), tmp_path / "trials.log"
    )
    drive(client, search, Task(plan, None, str(tmp_path)), lambda done, total, text: None)
    assert [trial.state for trial in search.trials()] == ["failed"]
