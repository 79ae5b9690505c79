import math
from pathlib import Path

import numpy as np
import pytest

from znought.errors import CardError
from znought.models.evolution import EvolutionConfig, children, parents
from znought.models.network import NetworkConfig
from znought.models.search import Job, Search, SearchConfig, genome_key
from znought.models.space import Genome, SpaceConfig

SPACE = SpaceConfig(nodes=(10, 20, 40), n_layers=(1, 3), learning_rate=(1e-4, 1e-1))
TPE = SearchConfig(n_trials=25, min_epochs=1, max_epochs=9, space=SPACE)
EVOLUTION = SearchConfig(
    sampler="evolution",
    max_epochs=5,
    space=SpaceConfig(nodes=(1, 32, 64), n_layers=(1, 5), shared_width=True, learning_rate=None),
    evolution=EvolutionConfig(population=8, generations=3),
)


def _merit(job: Job) -> float:
    """Highest for a learning rate of 0.01 and many nodes; grows with the epochs."""
    network = job.network
    distance = abs(math.log10(network.learning_rate) + 2.0)
    return 1.0 - 0.2 * distance + 0.001 * sum(network.hidden_nodes) + 0.01 * job.max_epochs


def _drive(search: Search, *, in_flight: int = 3, lose: tuple[int, ...] = ()) -> list[Job]:
    """A driver with several jobs under way, which come back in another order than they left."""
    random = np.random.default_rng(0)
    running: list[Job] = []
    done: list[Job] = []
    while True:
        while len(running) < in_flight and (job := search.ask()):
            running.append(job)
        if not running:
            return done
        job = running.pop(int(random.integers(len(running))))
        done.append(job)
        search.tell(job, None if len(done) in lose else _merit(job))


def test_every_trial_is_accounted_for_and_the_bad_ones_end_early(tmp_path: Path) -> None:
    search = Search(TPE, NetworkConfig(), tmp_path / "trials.log")
    jobs = _drive(search)
    records = search.trials()
    assert search.finished
    assert len(records) == 25
    assert {record.state for record in records} == {"complete", "pruned"}
    assert sum(job.max_epochs == 9 for job in jobs) < 25
    best, network = search.best()
    assert best.value == max(
        record.value for record in records if record.state == "complete" and record.value
    )
    assert network.hidden_nodes == tuple(
        best.genome[f"nodes_{layer}"] for layer in range(int(best.genome["n_layers"]))
    )
    assert 1e-3 < network.learning_rate < 1e-1


def test_a_longer_job_goes_on_with_the_same_checkpoint(tmp_path: Path) -> None:
    jobs = _drive(Search(TPE, NetworkConfig(), tmp_path / "trials.log"))
    by_trial: dict[int, list[Job]] = {}
    for job in jobs:
        by_trial.setdefault(job.trial, []).append(job)
    for steps in by_trial.values():
        assert len({(job.key, job.network) for job in steps}) == 1
        assert [job.max_epochs for job in steps] == [1, 3, 9][: len(steps)]


def test_lost_jobs_are_failed_trials(tmp_path: Path) -> None:
    search = Search(TPE, NetworkConfig(), tmp_path / "trials.log")
    _drive(search, lose=(3, 11))
    states = [record.state for record in search.trials()]
    assert len(states) == 25
    assert states.count("failed") == 2
    assert "running" not in states


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_fails_the_trial(tmp_path: Path, value: float) -> None:
    search = Search(TPE, NetworkConfig(), tmp_path / "trials.log")
    job = search.ask()
    assert job
    search.tell(job, value)
    assert search.trials()[0].state == "failed"


@pytest.mark.parametrize("config", [TPE, EVOLUTION])
def test_an_interrupted_search_goes_on(tmp_path: Path, config: SearchConfig) -> None:
    first = Search(config, NetworkConfig(), tmp_path / "trials.log")
    for _ in range(4):
        job = first.ask()
        assert job
        first.tell(job, _merit(job))
    left_running = [first.ask(), first.ask()]
    assert all(left_running)
    search = Search(config, NetworkConfig(), tmp_path / "trials.log")
    failed = [record for record in search.trials() if record.state == "failed"]
    assert {record.number for record in failed} >= {job.trial for job in left_running if job}
    _drive(search)
    assert search.finished
    assert len(search.trials()) == config.total
    assert all(record.state in ("complete", "pruned", "failed") for record in search.trials())


def test_another_card_starts_another_search(tmp_path: Path) -> None:
    _drive(Search(TPE, NetworkConfig(), tmp_path / "trials.log"))
    assert not Search(TPE, NetworkConfig(l2=0.1), tmp_path / "trials.log").trials()


def test_generations_wait_for_each_other_and_repeated_genomes_are_not_trained_again(tmp_path: Path) -> None:
    search = Search(EVOLUTION, NetworkConfig(learning_rate=0.01), tmp_path / "trials.log")
    jobs = _drive(search, in_flight=20)
    records = search.trials()
    assert [record.generation for record in records] == [0] * 8 + [1] * 8 + [2] * 8
    assert len({job.key for job in jobs}) == len({genome_key(record.genome) for record in records})
    assert len(jobs) < len(records)
    means = [np.mean([r.value for r in records if r.generation == g]) for g in range(3)]
    assert means[2] > means[0]


GRADED: list[tuple[Genome, float]] = [
    ({"n_layers": number, "nodes_0": 32, "activation": "elu", "optimiser": "adam"}, float(number))
    for number in range(1, 11)
]


def test_parents_are_the_fittest_and_some_lucky_rejects() -> None:
    config = EvolutionConfig(random_select=0.0)
    chosen = parents(GRADED, config, np.random.default_rng(0))
    assert [genome["n_layers"] for genome in chosen] == [10, 9, 8, 7]
    counts = [len(parents(GRADED, EvolutionConfig(), np.random.default_rng(seed))) for seed in range(400)]
    assert np.mean(counts) == pytest.approx(4.0 + 0.6, abs=0.15)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_fitness_that_is_not_finite_is_the_worst(bad: float) -> None:
    graded: list[tuple[Genome, float]] = [*GRADED, ({"n_layers": 99}, bad)]
    chosen = parents(graded, EvolutionConfig(random_select=0.0), np.random.default_rng(0))
    assert 99 not in [genome["n_layers"] for genome in chosen]


def test_children_mix_two_parents_and_mutate_at_the_given_rate() -> None:
    space = SpaceConfig(nodes=(1, 2, 3, 4), n_layers=(1, 10), shared_width=True, learning_rate=None)
    config = EvolutionConfig(population=2000, mutate_chance=0.0, elitism=False)
    born = children(GRADED, space, config, seed=1, generation=1)
    assert len(born) == 2000
    assert {child["n_layers"] for child in born} >= {7, 8, 9, 10}
    assert {child["nodes_0"] for child in born} == {32}
    mutated = children(GRADED, space, EvolutionConfig(population=4000, elitism=False), seed=1, generation=1)
    assert np.mean([child["nodes_0"] != 32 for child in mutated]) == pytest.approx(0.2 / 4, abs=0.015)


def test_elitism_keeps_the_parents() -> None:
    space = SpaceConfig(nodes=(32,), n_layers=(1, 10), shared_width=True, learning_rate=None)
    config = EvolutionConfig(population=10, random_select=0.0)
    born = children(GRADED, space, config, seed=1, generation=1)
    assert [child["n_layers"] for child in born[:4]] == [10, 9, 8, 7]


def test_importance_finds_the_parameter_that_matters(tmp_path: Path) -> None:
    config = SearchConfig(sampler="random", n_trials=40, min_epochs=9, max_epochs=9, space=SPACE)
    search = Search(config, NetworkConfig(), tmp_path / "trials.log")
    assert search.importances() == {}
    _drive(search)
    found = search.importances()
    assert max(found, key=lambda name: found[name]) == "learning_rate"


def test_a_genome_changes_what_it_names_and_nothing_else() -> None:
    space = SpaceConfig(
        nodes=(7,), n_layers=(2, 2), activations=("tanh",), optimisers=("sgd",), dropouts=(0.3,)
    )
    genome: Genome = {gene.name: gene.choices[0] for gene in space.genes() if gene.choices}
    base = NetworkConfig(l2=0.5, dropout=0.1)
    expected = NetworkConfig(hidden_nodes=(7, 7), activation="tanh", optimiser="sgd", dropout=0.3, l2=0.5)
    assert space.network(base, genome) == expected
    del genome["dropout"]
    assert space.network(base, genome).dropout == 0.1


def test_nonsense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="min_epochs ≤ max_epochs"):
        SearchConfig(min_epochs=10, max_epochs=5)
    with pytest.raises(CardError, match=r"search\.space\.n_layers"):
        SpaceConfig(n_layers=(3, 2))
    with pytest.raises(CardError, match=r"search\.evolution\.retain"):
        EvolutionConfig(retain=1.5)
    with pytest.raises(CardError, match="no trial was completed"):
        Search(TPE, NetworkConfig(), tmp_path / "trials.log").best()
