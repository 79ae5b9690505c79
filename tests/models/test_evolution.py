"""The evolutionary search as a whole: history, elitism, infinite fitness, random search of equal budget."""

import math
from pathlib import Path

import numpy as np
import pytest

from znought.models.evolution import EvolutionConfig
from znought.models.network import NetworkConfig
from znought.models.search import Job, Search, SearchConfig
from znought.models.space import SpaceConfig

SPACE = SpaceConfig(
    nodes=(1, 32, 64, 128, 256),
    n_layers=(1, 5),
    shared_width=True,
    activations=("relu", "elu", "tanh", "sigmoid"),
    optimisers=("rmsprop", "adam", "sgd", "adagrad", "adadelta", "adamax", "nadam"),
    learning_rate=(1e-5, 1e-1),
)


def config(seed: int, *, elitism: bool = True, sampler: str = "evolution") -> SearchConfig:
    return SearchConfig(
        sampler="random" if sampler == "random" else "evolution",
        n_trials=400,
        min_epochs=1,
        max_epochs=1,
        seed=seed,
        space=SPACE,
        evolution=EvolutionConfig(population=10, generations=5, elitism=elitism),
    )


def merit(job: Job) -> float:
    """A sum over the parameters: what crossover is good at."""
    network = job.network
    by_activation = {"relu": 0.4, "elu": 0.3, "tanh": 0.1, "sigmoid": 0.0}
    by_optimiser = {"adam": 0.5, "nadam": 0.4, "rmsprop": 0.3, "adamax": 0.2}
    return (
        by_activation[network.activation]
        + by_optimiser.get(network.optimiser, 0.0)
        + 0.1 * math.log2(network.hidden_nodes[0])
        - 0.1 * abs(len(network.hidden_nodes) - 2)
        - 0.3 * abs(math.log10(network.learning_rate) + 2.5)
    )


def drive(search: Search, *, in_flight: int = 1, budget: int = 10_000) -> list[float]:
    """Values of the different networks in the order asked; several under way come back in reverse order."""
    values: dict[str, float] = {}
    running: list[Job] = []
    while True:
        while len(running) < in_flight and len(values) < budget and (job := search.ask()):
            running.append(job)
            values[job.key] = merit(job)
        if not running:
            return list(values.values())
        job = running.pop()
        search.tell(job, values[job.key])


def history(search: Search) -> list[tuple[object, ...]]:
    return [(r.number, r.generation, tuple(sorted(r.genome.items())), r.value) for r in search.trials()]


def test_the_same_seed_gives_the_same_history_however_many_jobs_run_at_once(tmp_path: Path) -> None:
    searches = [
        Search(config(seed), NetworkConfig(), tmp_path / f"{i}.log") for i, seed in enumerate((1, 1, 2))
    ]
    for search, in_flight in zip(searches, (1, 7, 1), strict=True):
        drive(search, in_flight=in_flight)
    one, parallel, other = (history(search) for search in searches)
    assert len(one) == 50
    assert one == parallel
    assert one != other


def test_with_elitism_the_best_of_a_generation_is_never_lost(tmp_path: Path) -> None:
    def best_by_generation(elitism: bool, seed: int) -> list[float]:
        search = Search(config(seed, elitism=elitism), NetworkConfig(), tmp_path / f"{elitism}{seed}.log")
        drive(search)
        records = search.trials()
        return [max(r.value or 0.0 for r in records if r.generation == g) for g in range(5)]

    assert (np.diff(best_by_generation(True, 1)) >= 0.0).all()
    assert (np.diff(best_by_generation(False, 1)) < 0.0).any()


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_an_infinite_fitness_is_nobodys_parent_and_not_the_best(tmp_path: Path, bad: float) -> None:
    search = Search(config(3), NetworkConfig(), tmp_path / "trials.log")
    while job := search.ask():
        search.tell(job, bad if job.network.optimiser == "sgd" else merit(job))
    records = search.trials()
    assert all(r.value is None or math.isfinite(r.value) for r in records)
    assert search.best()[0].genome["optimiser"] != "sgd"
    last = [r.genome["optimiser"] for r in records if r.generation == 4]
    assert last.count("sgd") <= 2  # mutations alone


def test_evolution_beats_random_search_of_equal_budget_where_parameters_add_up(tmp_path: Path) -> None:
    ahead = []
    for seed in range(3):
        evolved = drive(Search(config(seed), NetworkConfig(), tmp_path / f"e{seed}.log"))
        at_random = drive(
            Search(config(seed, sampler="random"), NetworkConfig(), tmp_path / f"r{seed}.log"),
            budget=len(evolved),
        )
        assert len(at_random) == len(evolved)
        ahead.append(max(evolved) - max(at_random))
    assert np.median(ahead) > 0.0
