"""Evolutionary against random search of equal budget, by validation Z_A of networks for talk B.

    python -m benchmarks.evolution NTUPLES [--card analyses/vh_bb_smeft.yaml] [--minutes 10]

0L, VH alone, c̄_HW = 0.03, excess definition, 80 fb⁻¹, 50 %. Every network trains for a few epochs on three
folds and is judged on the fourth; the fifth is looked at once, with the network that a search ends with.
The budget counts trainings: a genome seen before takes its earlier value and costs nothing. All searches
share one table of results, so that equal genomes have equal values everywhere.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.smeft_sample import Floats, Sample, read
from znought.models.evolution import EvolutionConfig
from znought.models.network import NetworkConfig, build_network, build_optimiser
from znought.models.scaling import RobustScaler
from znought.models.search import Job, Search, SearchConfig
from znought.models.space import SpaceConfig
from znought.stats.eft.channel import hypothesis
from znought.stats.eft.counting import cut_scan

CONSOLE = Console(width=200, highlight=False, markup=False, soft_wrap=True)
VALUE = 0.03
VALIDATION, TEST = 3, 4
SPACE = SpaceConfig(
    nodes=(1, 8, 16, 32, 64, 128),
    n_layers=(1, 5),
    shared_width=True,
    activations=("relu", "elu", "tanh", "sigmoid"),
    optimisers=("rmsprop", "adam", "sgd", "adagrad", "adadelta", "adamax", "nadam"),
    learning_rate=None,
)
EVOLUTION = EvolutionConfig(population=8, generations=4)
BASE = NetworkConfig(
    hidden_nodes=(10,),
    activation="relu",
    batch_normalisation=False,
    input_noise=0.0,
    hidden_noise=0.0,
    dropout=0.2,
    learning_rate=0.005,
)
EPOCHS, BATCH = 5, 512


@dataclass
class Judge:
    """Trains a network and gives its validation Z_A; every network once, also over several runs."""

    data: Sample
    rows: int
    journal: Path
    values: dict[str, float] = field(default_factory=dict)
    test: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        for line in self.journal.read_text().splitlines() if self.journal.exists() else ():
            key, self.values[key], self.test[key] = json.loads(line)
        both = hypothesis(self.data.events, (VALUE, 0.0), with_backgrounds=False)
        identity, fold = self.data.events.identity[both.row], self.data.fold[both.row]
        # Rows of one event stay together: draw events, not rows.
        share = min(1.0, self.rows / (fold < VALIDATION).sum())
        drawn = (identity * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32) < np.uint64(share * 2**32)
        train = drawn & (fold < VALIDATION)
        x, y, w = self.data.features[both.row[train]], both.is_signal[train], both.weight[train]
        names = tuple(f"x{i}" for i in range(x.shape[1]))
        scaler = RobustScaler.fit(x.astype(np.float32), w, names, {})
        self.x = scaler.transform(x.astype(np.float32))
        self.y = np.column_stack([~y, y]).astype(np.float32)
        self.w = np.where(y, 0.5 / w[y].sum(), 0.5 / w[~y].sum()) * w * len(w)
        self.judged = scaler.transform(self.data.features.astype(np.float32))

    def __call__(self, job: Job) -> float:
        if job.key not in self.values:
            start = time.perf_counter()
            scores = self.train(job.network)
            self.values[job.key] = self.z(scores, self.data.fold == VALIDATION)
            self.test[job.key] = self.z(scores, self.data.fold == TEST)
            self.seconds += time.perf_counter() - start
            with self.journal.open("a") as file:
                file.write(json.dumps([job.key, self.values[job.key], self.test[job.key]]) + "\n")
        return self.values[job.key]

    def train(self, network: NetworkConfig) -> Floats:
        """Output of a newly trained network for all events; equal networks give equal outputs."""
        import keras

        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(1)
        model = build_network(network, n_features=self.x.shape[1], n_classes=2, seed=1)
        model.compile(optimizer=build_optimiser(network), loss="categorical_crossentropy", jit_compile=False)
        model.fit(self.x, self.y, sample_weight=self.w, epochs=EPOCHS, batch_size=BATCH, verbose=0)
        return np.asarray(model(self.judged), dtype=np.float64)[:, 1]

    def z(self, scores: Floats, rows: NDArray[np.bool_]) -> float:
        """Largest Z_A over cuts that leave three events of background, of the events of some rows."""
        events = self.data.events
        rows = rows & events.is_vh
        factor = events.weight[events.is_vh].sum() / events.weight[rows].sum()
        score = scores[rows]
        found = cut_scan(
            score,
            factor * events.weight_at((VALUE, 0.0))[rows],
            factor * events.weight[rows],
            cuts=np.unique(np.quantile(score, np.linspace(0.0, 1.0, 400, endpoint=False))),
            sigma_rel=0.5,
            min_background=3.0,
        )
        return float(found.z.max())


@dataclass(frozen=True)
class Outcome:
    """One search: validation Z_A of each training in turn, and the test Z_A of the network it ends with."""

    validation: Floats
    test: float
    history: tuple[str, ...]

    @property
    def best(self) -> float:
        """Largest validation Z_A."""
        return float(self.validation.max())


def run(judge: Judge, config: SearchConfig, *, budget: int | None = None) -> Outcome:
    """A search to its end, or until it has asked for `budget` different networks."""
    asked: dict[str, float] = {}
    history: list[str] = []
    with tempfile.TemporaryDirectory() as directory:
        search = Search(config, BASE, Path(directory) / "trials.log")
        while (budget is None or len(asked) < budget) and (job := search.ask()):
            asked[job.key] = judge(job)
            history.append(job.key)
            search.tell(job, asked[job.key])
    best = max(asked, key=lambda key: asked[key])
    return Outcome(np.array(list(asked.values())), judge.test[best], tuple(history))


def searches(judge: Judge, seed: int) -> dict[str, Outcome]:
    """Evolution with and without elitism, and random search with as many trainings as the former."""
    evolution = SearchConfig(
        sampler="evolution",
        min_epochs=EPOCHS,
        max_epochs=EPOCHS,
        seed=seed,
        space=SPACE,
        evolution=EVOLUTION,
    )
    found = {"evolution": run(judge, evolution)}
    budget = len(found["evolution"].validation)
    again = run(judge, evolution)
    assert again.history == found["evolution"].history, "the same seed gave another history"
    without = replace(evolution, evolution=replace(EVOLUTION, elitism=False))
    found["evolution, no elitism"] = run(judge, without)
    at_random = replace(evolution, sampler="random", n_trials=20 * budget)
    found["random"] = run(judge, at_random, budget=budget)
    return found


def show(found: dict[int, dict[str, Outcome]], judge: Judge) -> None:
    """Per seed and in the median; values that are not finite would show here."""
    names = list(next(iter(found.values())))
    CONSOLE.print("| seed | " + " | ".join(f"{n}: Z (trainings), test Z" for n in names) + " |")
    CONSOLE.print("| --- " * (len(names) + 1) + "|")
    for seed, outcomes in found.items():
        cells = [f"{one.best:.3f} ({len(one.validation)}), {one.test:.3f}" for one in outcomes.values()]
        CONSOLE.print(f"| {seed} | " + " | ".join(cells) + " |")
    for what in ("best", "test"):
        medians = [np.median([getattr(outcomes[n], what) for outcomes in found.values()]) for n in names]
        CONSOLE.print(f"| median {what} Z | " + " | ".join(f"{m:.3f}" for m in medians) + " |")
    for n_trainings in (8, 16, 24):
        cells = [
            f"{np.median([o[n].validation[:n_trainings].max() for o in found.values()]):.3f}" for n in names
        ]
        CONSOLE.print(f"| median after {n_trainings} trainings | " + " | ".join(cells) + " |")
    values = np.array(list(judge.values.values()))
    wins = sum(outcomes["evolution"].best > outcomes["random"].best for outcomes in found.values())
    CONSOLE.print(
        f"\nevolution ahead of random in {wins} of {len(found)} seeds; {len(values)} networks trained in "
        f"{judge.seconds:.0f} s; finite: {bool(np.isfinite(values).all())}; quantiles 0.1, 0.5, 0.9, 1 "
        f"of all: {np.round(np.quantile(values, [0.1, 0.5, 0.9, 1.0]), 3).tolist()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ntuples", type=Path)
    parser.add_argument("--card", type=Path, default=Path("analyses/vh_bb_smeft.yaml"))
    parser.add_argument("--work", type=Path, default=Path("output/benchmark_smeft"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=8_000)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    data = read(options.card, options.ntuples, "0L", "inclusive", work=options.work)
    judge = Judge(data, options.rows, options.work / "evolution.jsonl")
    CONSOLE.print(f"{len(judge.x)} training rows; space of {6 * 5 * 4 * 7} networks")
    found: dict[int, dict[str, Outcome]] = {}
    start = time.perf_counter()
    for seed in range(1, options.seeds + 1):
        found[seed] = searches(judge, seed)
        spent = (time.perf_counter() - start) / 60.0
        best = ", ".join(f"{name} {one.best:.3f}" for name, one in found[seed].items())
        CONSOLE.print(f"seed {seed}: {len(judge.values)} networks trained so far, {spent:.1f} min; {best}")
        if spent * (seed + 1) / seed > options.minutes:
            break
    show(found, judge)


if __name__ == "__main__":
    main()
