"""Hyper-parameter search as pure decisions: the driver asks for jobs, runs them anywhere, and tells.

A job is "train this network up to that epoch". Asynchronous Hyperband lets a trial go on to its next
rung, or ends it, whenever one of its jobs comes back; since training resumes from its checkpoint, a
longer job costs only the further epochs. Trials live in a journal file next to the checkpoints: an
interrupted search goes on where it was, and trials that were running then are marked failed.

What is maximised comes from events set apart for the search, which count in no template, no Z and no
area. The test part is never offered.
"""

import hashlib
import json
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from znought.errors import CardError
from znought.models.boosting_search import TreesSpace
from znought.models.evolution import EvolutionConfig, children, random_genome
from znought.models.network import NetworkConfig
from znought.models.space import Genome, SpaceConfig

__all__ = ["Job", "Search", "SearchConfig", "TrialRecord", "genome_key"]


@dataclass(frozen=True)
class SearchConfig:
    """Card section `search`.

    Attributes:
        sampler: tree-structured Parzen estimator, the evolutionary search of the SMEFT study, or random.
        n_trials: trials in all; the evolutionary search has population × generations instead.
        min_epochs, max_epochs, reduction_factor: Hyperband's rungs; min = max switches it off. The
            evolutionary search trains every trial to max_epochs.
        objective: macro ROC AUC, or a significance, on the events set apart for the search.
        seed: of the samplers.
        space, evolution, trees: nested sections; trees are searched beside the networks, judged alike.
    """

    sampler: Literal["tpe", "evolution", "random"] = "tpe"
    n_trials: int = 40
    min_epochs: int = 4
    max_epochs: int = 36
    reduction_factor: int = 3
    objective: Literal["auc", "z0"] = "auc"
    seed: int = 1
    space: SpaceConfig = field(default_factory=SpaceConfig)
    evolution: EvolutionConfig = field(default_factory=EvolutionConfig)
    trees: TreesSpace = field(default_factory=TreesSpace)

    def __post_init__(self) -> None:
        if self.n_trials < 1 or not 1 <= self.min_epochs <= self.max_epochs or self.reduction_factor < 2:
            raise CardError(
                "search: expected n_trials ≥ 1, 1 ≤ min_epochs ≤ max_epochs, reduction_factor ≥ 2. Received: "
                f"{self.n_trials}, {self.min_epochs}, {self.max_epochs}, {self.reduction_factor}."
            )

    @property
    def rungs(self) -> tuple[int, ...]:
        """Epochs at which a trial is judged.

        >>> SearchConfig().rungs
        (4, 12, 36)
        """
        if self.sampler == "evolution":
            return (self.max_epochs,)
        found, epochs = [], self.min_epochs
        while epochs < self.max_epochs:
            found.append(epochs)
            epochs *= self.reduction_factor
        return (*found, self.max_epochs)

    @property
    def total(self) -> int:
        """Number of trials of a whole search."""
        if self.sampler == "evolution":
            return self.evolution.population * self.evolution.generations
        return self.n_trials


@dataclass(frozen=True)
class Job:
    """Train `network` up to `max_epochs` and tell the objective.

    Attributes:
        trial: number of the trial.
        network: what to train.
        max_epochs: of `TrainingConfig`; the checkpoint of the trial's earlier jobs continues.
        key: names the network; use it in the name of the checkpoint file.
    """

    trial: int
    network: NetworkConfig
    max_epochs: int
    key: str


@dataclass(frozen=True)
class TrialRecord:
    """One trial as the history shows it: `state` is running, complete, pruned, failed or waiting."""

    number: int
    genome: Genome
    state: str
    value: float | None
    epochs: int
    generation: int | None


def genome_key(genome: Mapping[str, Any]) -> str:
    """Short name of a genome, equal for equal genomes."""
    return hashlib.sha256(json.dumps(dict(genome), sort_keys=True).encode()).hexdigest()[:16]


class Search:
    """Asynchronous search; only the driver holds it.

    Args:
        config: card section `search`.
        base: network whose other parameters every trial takes.
        journal: file of the trials; an existing one is continued.
    """

    def __init__(self, config: SearchConfig, base: NetworkConfig, journal: Path) -> None:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        self.config, self.base = config, base
        journal.parent.mkdir(parents=True, exist_ok=True)
        with _quiet_optuna():
            self._study = optuna.create_study(
                storage=JournalStorage(JournalFileBackend(str(journal))),
                study_name=genome_key({**_plain(config), "base": _plain(base)}),
                direction="maximize",
                load_if_exists=True,
            )
            self._study.sampler = _sampler(config, len(self._study.trials))
            self._study.pruner = optuna.pruners.HyperbandPruner(
                min_resource=config.min_epochs,
                max_resource=config.max_epochs,
                reduction_factor=config.reduction_factor,
            )
            self._ready: deque[Job] = deque()
            self._live: dict[int, Any] = {}
            for trial in self._study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
                self._end(trial.number, "FAIL")

    def ask(self) -> Job | None:
        """The next job, or None while there is nothing to start before some job is told.

        None with no job under way means that the search is over.
        """
        with _quiet_optuna():
            if self._ready:
                return self._ready.popleft()
            if self.config.sampler == "evolution":
                return self._ask_generation()
            if len(self._study.trials) >= self.config.total:
                return None
            return self._start()

    def tell(self, job: Job, value: float | None) -> None:
        """What a job gave; None for a job that was lost with its worker or failed.

        A value that is not finite is the worst there is: the trial fails.
        """
        with _quiet_optuna():
            if value is None or not math.isfinite(value):
                self._end(job.trial, "FAIL")
                return
            trial = self._live[job.trial]
            trial.report(value, job.max_epochs)
            later = [rung for rung in self.config.rungs if rung > job.max_epochs]
            if not later:
                self._end(job.trial, "COMPLETE", value)
            elif trial.should_prune():
                self._end(job.trial, "PRUNED")
            else:
                self._ready.append(Job(job.trial, job.network, later[0], job.key))

    @property
    def finished(self) -> bool:
        """Whether every trial of the search has ended."""
        ended = [record for record in self.trials() if record.state in ("complete", "pruned", "failed")]
        return len(ended) >= self.config.total

    def trials(self) -> tuple[TrialRecord, ...]:
        """All trials so far, in the order in which they were started."""
        return tuple(
            TrialRecord(
                number=trial.number,
                genome=dict(trial.params) or dict(trial.user_attrs.get("genome", {})),
                state={"FAIL": "failed"}.get(trial.state.name, trial.state.name.lower()),
                value=trial.value if trial.state.name == "COMPLETE" else _last(trial.intermediate_values),
                epochs=max(trial.intermediate_values, default=0),
                generation=trial.user_attrs.get("generation"),
            )
            for trial in self._study.get_trials(deepcopy=False)
        )

    def best(self) -> tuple[TrialRecord, NetworkConfig]:
        """The complete trial of the highest value and its network.

        Raises:
            CardError: no trial was completed.
        """
        complete = [record for record in self.trials() if record.state == "complete"]
        if not complete:
            raise CardError("search: no trial was completed.")
        record = max(complete, key=lambda trial: trial.value or -math.inf)
        return record, self.config.space.network(self.base, record.genome)

    def importances(self) -> dict[str, float]:
        """Share of each parameter in the variance of the objective (fANOVA); empty below 4 trials."""
        import optuna

        complete = [record for record in self.trials() if record.state == "complete"]
        if len({record.value for record in complete}) < 4:
            return {}
        with _quiet_optuna():
            evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self.config.seed)
            found = optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        return {name: float(share) for name, share in found.items()}

    def _start(self) -> Job:
        trial = self._study.ask()
        self._live[trial.number] = trial
        genome = self.config.space.suggest(trial)
        network = self.config.space.network(self.base, genome)
        return Job(trial.number, network, self.config.rungs[0], genome_key(genome))

    def _ask_generation(self) -> Job | None:
        """One genome of the generation under way; a genome seen before takes its earlier value."""
        while True:
            waiting = self._study.get_trials(deepcopy=False, states=(_state("WAITING"),))
            if not waiting and not self._next_generation():
                return None
            job = self._start()
            known = self._known_values()
            if job.key not in known:
                return job
            self.tell(Job(job.trial, job.network, self.config.max_epochs, job.key), known[job.key])

    def _next_generation(self) -> bool:
        """Queue the next generation once the last one is complete; False if that must wait or all is done."""
        records = self.trials()
        if any(record.state == "running" for record in records) or len(records) >= self.config.total:
            return False
        population = self.config.evolution.population
        generation = len(records) // population
        if generation == 0:
            genomes = [
                random_genome(self.config.space, self.config.seed, index) for index in range(population)
            ]
        else:
            last = [(record.genome, _fitness(record)) for record in records[-population:]]
            genomes = children(
                last, self.config.space, self.config.evolution, seed=self.config.seed, generation=generation
            )
        for genome in genomes:
            self._study.enqueue_trial(genome, user_attrs={"generation": generation})
        return True

    def _known_values(self) -> dict[str, float]:
        return {
            genome_key(record.genome): record.value
            for record in self.trials()
            if record.state == "complete" and record.value is not None
        }

    def _end(self, trial: int, state: str, value: float | None = None) -> None:
        self._study.tell(trial, value, state=_state(state))
        self._live.pop(trial, None)


def _fitness(record: TrialRecord) -> float:
    return record.value if record.state == "complete" and record.value is not None else -math.inf


def _last(values: Mapping[int, float]) -> float | None:
    return values[max(values)] if values else None


def _plain(config: Any) -> dict[str, Any]:
    return asdict(config)


def _state(name: str) -> Any:
    import optuna

    return optuna.trial.TrialState[name]


def _sampler(config: SearchConfig, n_trials: int) -> Any:
    """A resumed search draws from another seed: repeating the first draws would waste its trials."""
    import optuna

    seed = config.seed + n_trials
    if config.sampler == "tpe":
        return optuna.samplers.TPESampler(seed=seed)
    return optuna.samplers.RandomSampler(seed=seed)


def _quiet_optuna() -> Any:
    """Context in which Optuna neither logs nor warns that its journal is experimental."""
    import contextlib
    import warnings

    import optuna

    @contextlib.contextmanager
    def quiet() -> Any:
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                yield
        finally:
            optuna.logging.set_verbosity(verbosity)

    return quiet()
