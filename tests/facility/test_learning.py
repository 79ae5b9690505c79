"""Training and search on a real cluster whose workers are killed, retired and restarted under them."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster, Worker

from znought.errors import CardError
from znought.facility.cards.sections import CrossFit
from znought.facility.cluster.sites import WORKER_ENVIRONMENT
from znought.facility.events.store import read_events, write_parquet
from znought.facility.learning.merit import SearchMerit
from znought.facility.learning.plan import (
    LearningPlan,
    parts_of,
    quoted_share,
    scoring_folds,
    training_data,
    training_folds,
)
from znought.facility.learning.searching import (
    FULL,
    AreaJudge,
    NetworkTrial,
    Outcome,
    _restart_if_full,
    best_trees,
    check_search_part,
    drive,
    search_trees,
)
from znought.facility.learning.training import (
    EPOCHS_TOPIC,
    NetworkTask,
    held_data,
    train_network,
    train_networks,
)
from znought.facility.stages import tune
from znought.facility.stages.tune import BoostingTrial
from znought.models.boosting import BoostingConfig
from znought.models.boosting_search import TreesSpace
from znought.models.folds import SEARCHED, UNTRAINED
from znought.models.network import NetworkConfig
from znought.models.samples import TrainingData
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
PATIENT = TrainingConfig(
    n_folds=2, n_repeats=2, batch_size=8, max_epochs=40, patience=40, salt="t", search_fraction=0.1
)


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


def _task(plan: LearningPlan, folder: Path, **changes: Any) -> NetworkTask:
    return NetworkTask("", plan, NETWORK, replace(plan.training, **changes), CLASSES, FEATURES, folder)


def _trial(plan: LearningPlan, folder: Path) -> NetworkTrial:
    return NetworkTrial(_task(plan, folder), AreaJudge(CLASSES), str(folder))


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
    trained: TrainedFold = client.submit(train_network, _task(plan, folder), 0, 0).result()
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
    future = client.submit(train_network, _task(plan, tmp_path), 0, 0, pure=False, retries=2)
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

    drive(fresh, search, _trial(plan, tmp_path), kill)
    states = [trial.state for trial in search.trials()]
    assert len(victims) == 2
    assert search.finished
    assert len(states) == SEARCH.n_trials
    assert set(states) <= {"complete", "pruned", "failed"}
    assert states.count("failed") == 1
    complete = [trial.value for trial in search.trials() if trial.state == "complete"]
    assert search.best()[0].value == max(value for value in complete if value is not None)


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


def test_trials_are_judged_on_events_of_their_own(plan: LearningPlan) -> None:
    """Neither what trains a trial nor any scored event moves the significance, and the part itself does."""
    data = training_data(plan)
    merit = SearchMerit(
        plan=plan,
        signal=("vh",),
        signal_class="VH",
        region=Region("signal", (Cut("m_jj", 30.0, None),)),
        binning=BinningConfig(lower=0.0, upper=1.0),
        crossfit=CrossFit(),
    )
    seen = data.fold == SEARCHED
    assert 0.08 < seen.mean() < 0.12

    def score(features: np.ndarray) -> np.ndarray:
        first = 1.0 / (1.0 + np.exp((features[:, 0] - 52.5) / 10.0))
        return np.column_stack([first, 1.0 - first])

    disturbed = replace(
        data,
        features=np.where(seen[:, None], data.features, 1e3).astype(np.float32),
        weights=np.where(seen, data.weights, 1e3),
    )
    value = merit.worth(data, score)
    assert merit.worth(disturbed, score) == value
    assert value > 0.1
    blind = replace(data, features=np.where(seen[:, None], 50.0, data.features).astype(np.float32))
    assert merit.worth(blind, score) < value
    area = AreaJudge(CLASSES).worth(data, score)
    assert AreaJudge(CLASSES).worth(disturbed, score) == pytest.approx(area)
    assert AreaJudge(CLASSES).worth(blind, score) == pytest.approx(0.5)


def test_a_trial_does_not_train_on_the_part_that_judges_it(
    plan: LearningPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And in the trainings of the run, every fold does."""
    trial = BoostingTrial(plan, BoostingConfig(max_iter=5), AreaJudge(CLASSES))
    seen: list[np.ndarray] = []

    def record(data: TrainingData, fold: int, *args: Any, **names: Any) -> Any:
        seen.append(data.fold)
        return lambda features: np.full((len(features), 2), 0.5)

    monkeypatch.setattr(tune, "grown_scores", record)
    assert trial.value({}) == pytest.approx(0.5)
    assert SEARCHED not in seen[0]
    assert SEARCHED in held_data(plan)[1].fold


def test_trees_are_searched_on_the_workers(plan: LearningPlan, client: Client) -> None:
    trial = BoostingTrial(plan, BoostingConfig(max_iter=5), AreaJudge(CLASSES))
    notes: list[str] = []
    found = search_trees(
        client, trial, TreesSpace(n_trials=3), 1, lambda done, total, note: notes.append(note)
    )
    best = best_trees(found)
    assert len(notes) == len(found) == 3
    assert found[0].settings == {}
    assert best is not None
    assert best.value == max(outcome.value for outcome in found) > 0.6


def test_a_search_without_a_part_of_its_own_is_refused() -> None:
    with pytest.raises(CardError, match=r"training\.search_fraction: .* Received: 0"):
        check_search_part(TrainingConfig())


def test_parts_and_folds_follow_the_identity(plan: LearningPlan) -> None:
    table = read_events(Path(plan.columns), ("vh",), [])
    part, folds = parts_of(PATIENT, table), scoring_folds(PATIENT, table)
    assert [round(float(np.mean(part == i)), 1) for i in range(4)] == [0.7, 0.2, 0.0, 0.1]
    assert ((folds >= 0) & (folds < 2)).all()
    trained = training_folds(PATIENT, table)
    np.testing.assert_array_equal(trained[part == 0], folds[part == 0])
    assert (trained[part == 1] == UNTRAINED).all()
    # A process that is not trained on, and data, have the same folds as they would have in training.
    none = np.zeros(len(table), np.bool_)
    np.testing.assert_array_equal(scoring_folds(PATIENT, table, none), folds)
    assert (parts_of(PATIENT, table, none) == 2).all()
    published = scoring_folds(replace(PATIENT, scoring="published"), table)
    assert (published[part == 1] == UNTRAINED).all()
    np.testing.assert_array_equal(published[part != 1], folds[part != 1])
    share = quoted_share(PATIENT, part)
    assert share[part == 3].sum() == 0.0
    assert float(share.mean()) == pytest.approx(1.0, abs=0.01)


def test_networks_of_all_folds_and_repeats_are_trained_once(
    plan: LearningPlan, client: Client, tmp_path: Path
) -> None:
    done: list[tuple[int, int]] = []
    task = _task(plan, tmp_path, max_epochs=2)
    (trained,) = train_networks(client, [task], lambda one, total, note: done.append((one, total)))
    assert [(one.repeat, one.fold) for one in trained] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert len({one.data_sha256 for one in trained}) == 2
    assert done[-1] == (8, 8)


def test_columns_that_were_written_again_are_read_again(plan: LearningPlan, tmp_path: Path) -> None:
    columns = tmp_path / "columns"
    shutil.copytree(plan.columns, columns)
    mine = replace(plan, columns=str(columns))
    first = held_data(mine)
    assert held_data(mine) is first
    file = columns / "vh" / "nominal" / "a.parquet"
    os.utime(file, ns=(1, 1))
    assert held_data(mine) is not first


def test_a_network_that_diverges_fails_its_trial_alone(
    plan: LearningPlan, client: Client, tmp_path: Path
) -> None:
    wild = replace(SEARCH, n_trials=1, space=replace(SEARCH.space, learning_rate=(1e29, 1e30)))
    search = Search(
        wild, replace(NETWORK, batch_normalisation=False, optimiser="sgd"), tmp_path / "trials.log"
    )
    drive(client, search, _trial(plan, tmp_path), lambda done, total, text: None)
    assert [trial.state for trial in search.trials()] == ["failed"]
