"""Jobs: a pure plan, and the function that a worker runs to write one file.

Every job seeds itself from (seed, dataset, index), so that neither the number of workers nor their order
changes a byte of the arrays. Planning needs neither a generator nor fastjet.
"""

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError
from znought.simulation.config import DetectorConfig, MisidentificationConfig, SimulationConfig
from znought.simulation.recipe import COMMON, Recipe
from znought.simulation.sherpa.installed import check_installed, sherpa_version

if TYPE_CHECKING:
    from znought.simulation.batch import GeneratedBatch, Generator
    from znought.simulation.ntuple import Rows
    from znought.simulation.truth import Truth

__all__ = [
    "JobSummary",
    "SampleRequest",
    "SimulationJob",
    "job_path",
    "plan",
    "pseudo_data_lumi_ifb",
    "run_job",
]

GENERATION = 3
"""Raise it whenever the events of a given job change: files of another generation are made anew."""

BATCH_SIZE = 250
HIGGS_DECAYS = 20_000
MAX_RESPONSES = 255


@dataclass(frozen=True)
class SampleRequest:
    """A dataset to simulate.

    Attributes:
        dataset: name of the dataset, and of its folder.
        process: physics process, by which `pseudo_data.scale` names it.
        recipe: what is generated.
        n_events: events after the generator filter at events scale 1.
        n_responses: detector responses of each event.
        cross_section_pb: σ · k · BR before the generator filter; used for pseudo-data only.
        in_data: whether pseudo-data contain it.
    """

    dataset: str
    process: str
    recipe: Recipe
    n_events: int
    n_responses: int = 1
    cross_section_pb: float = 0.0
    in_data: bool = True


@dataclass(frozen=True)
class SimulationJob:
    """One file to write.

    Simulation stops after `n_events` events behind the generator filter; pseudo-data after `n_attempts`
    before it.
    """

    dataset: str
    recipe: Recipe
    index: int
    n_events: int
    n_responses: int
    seed: int
    detector: DetectorConfig
    n_attempts: int | None = None
    misidentification: MisidentificationConfig = field(default_factory=MisidentificationConfig)

    @property
    def is_data(self) -> bool:
        """Whether the job makes unweighted pseudo-data."""
        return self.n_attempts is not None


@dataclass(frozen=True)
class JobSummary:
    """What a job wrote.

    Attributes:
        path: the file.
        n_attempted, n_events: events before and after the generator filter.
        n_rows: rows in the file, over all responses.
        n_distinct: generated events among them.
        sigma_pb: the generator's leading-order cross section before branching ratios and filter, pb.
        seconds: time taken; 0 for a file that was there already.
        sigma_error_pb: statistical error of `sigma_pb`.
        n_lost: events that passed the generator filter and that the generator gave up on; sums of weights
            are without those of Pythia's shower, and with those of Sherpa's.
    """

    path: str
    dataset: str
    recipe: str
    index: int
    n_attempted: int
    n_events: int
    n_rows: int
    n_distinct: int
    sigma_pb: float
    seconds: float
    sigma_error_pb: float = 0.0
    n_lost: int = 0


def _number(*parts: object) -> int:
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def plan(
    requests: Iterable[SampleRequest], config: SimulationConfig, *, events_scale: float = 1.0
) -> tuple[SimulationJob, ...]:
    """All jobs of a sample, pseudo-data last; depends on its arguments alone.

    Raises:
        CardError: no events, or too many responses.
    """
    if not events_scale > 0.0:
        raise CardError(f"The events scale must be positive. Received: {events_scale!r}.")
    requests = tuple(requests)
    jobs = [job for request in requests for job in _simulation_jobs(request, config, events_scale)]
    if config.pseudo_data.enabled:
        jobs += _data_jobs(requests, config, events_scale)
    return tuple(jobs)


def pseudo_data_lumi_ifb(config: SimulationConfig, *, events_scale: float = 1.0) -> float:
    """Integrated luminosity of the pseudo-data of a sample of that scale, 1/fb."""
    return config.pseudo_data.lumi_ifb * events_scale


def _simulation_jobs(
    request: SampleRequest, config: SimulationConfig, events_scale: float
) -> list[SimulationJob]:
    if request.n_events < 1 or not 1 <= request.n_responses <= MAX_RESPONSES:
        raise CardError(
            f"Dataset {request.dataset!r} needs n_events from 1 and n_responses from 1 to {MAX_RESPONSES}. "
            f"Received: {request.n_events!r}, {request.n_responses!r}."
        )
    total = max(1, round(request.n_events * events_scale))
    sizes = _split(total, request.recipe.events_per_job * config.job_size)
    return [
        SimulationJob(
            dataset=request.dataset,
            recipe=request.recipe,
            index=index,
            n_events=size,
            n_responses=request.n_responses,
            seed=config.seed,
            detector=config.detector,
            misidentification=config.misidentification,
        )
        for index, size in enumerate(sizes)
    ]


def _data_jobs(
    requests: tuple[SampleRequest, ...], config: SimulationConfig, events_scale: float
) -> list[SimulationJob]:
    data = config.pseudo_data
    detector = DetectorConfig(**{**asdict(config.detector), "jet_energy_scale": data.jet_energy_scale})
    lumi_ipb = 1000.0 * pseudo_data_lumi_ifb(config, events_scale=events_scale)
    pieces: list[tuple[Recipe, int]] = []
    for request in requests:
        if request.in_data:
            mean = lumi_ipb * request.cross_section_pb * data.scale.get(request.process, 1.0)
            mean /= request.recipe.data_boost
            rng = np.random.default_rng(_number(config.seed, data.dataset, request.dataset, "yield"))
            size = request.recipe.attempts_per_job * config.job_size
            pieces += [(request.recipe.unweighted, n) for n in _split(int(rng.poisson(mean)), size)]
    return [
        SimulationJob(
            dataset=data.dataset,
            recipe=recipe,
            index=index,
            n_events=0,
            n_responses=1,
            seed=config.seed,
            detector=detector,
            n_attempts=n,
            misidentification=config.misidentification,
        )
        for index, (recipe, n) in enumerate(pieces)
    ]


def _split(total: int, size: float) -> list[int]:
    n_jobs = max(1, round(total / size))
    return [n for n in (total * (i + 1) // n_jobs - total * i // n_jobs for i in range(n_jobs)) if n > 0]


def job_path(job: SimulationJob, directory: str | Path) -> Path:
    """The file that the job writes."""
    return Path(directory) / job.dataset / f"{job.dataset}_{job.index:04d}.root"


def run_job(job: SimulationJob, directory: str) -> JobSummary:
    """Generates the job's events and writes its file, unless the file is there, whole and of the same job.

    Raises:
        CardError: the recipe needs Sherpa, which is not installed.
        DataError: the generator gave up on more than one per cent of the events.
    """
    from znought.simulation import ntuple

    check_installed(job.recipe)
    path = job_path(job, directory)
    fingerprint = _fingerprint(job)
    record = ntuple.read_job(path)
    if record is not None and record["fingerprint"] == fingerprint:
        return JobSummary(**{**record["summary"], "path": str(path), "seconds": 0.0})
    start = time.perf_counter()
    production = _produced(job)
    events = ntuple.merge(production.parts)
    summary = replace(_summary(production, path, events["event"]), seconds=time.perf_counter() - start)
    record = {"fingerprint": fingerprint, "summary": {**asdict(summary), "seconds": 0.0}}
    ntuple.write(path, events, production.runs(), record)
    return summary


def _produced(job: SimulationJob) -> "_Production":
    from znought.simulation.generator import generating

    seed = _number(job.seed, job.dataset, job.index)
    with generating(job.recipe, seed % 900_000_000 + 1) as generator:
        production = _Production(job, seed, generator)
        production.run()
    return production


def _summary(production: "_Production", path: Path, event: NDArray[np.uint64]) -> JobSummary:
    job, generator = production.job, production.generator
    return JobSummary(
        path=str(path),
        dataset=job.dataset,
        recipe=job.recipe.name,
        index=job.index,
        n_attempted=production.n_attempted,
        n_events=production.n_events,
        n_rows=len(event),
        n_distinct=len(np.unique(event)),
        sigma_pb=generator.sigma_pb,
        seconds=0.0,
        sigma_error_pb=generator.sigma_error_pb,
        n_lost=generator.lost,
    )


def _fingerprint(job: SimulationJob) -> str:
    recipe = job.recipe
    weigher = None if recipe.weigher is None else recipe.weigher.weigh.__qualname__
    settings = {**vars(recipe), "weigher": weigher}
    if recipe.matrix_element is not None:
        settings["sherpa"] = sherpa_version()
    parts = {
        "generation": GENERATION,
        "common": COMMON,
        "job": {**asdict(job), "recipe": recipe.name},
        "recipe": settings,
    }
    text = json.dumps(parts, sort_keys=True, default=asdict)
    return hashlib.sha256(text.encode()).hexdigest()


class _Production:
    """One job at work: generator, random numbers, and the rows so far."""

    def __init__(self, job: SimulationJob, seed: int, generator: "Generator") -> None:
        from znought.simulation.pythia import higgs_decays

        self.job = job
        self.recipe = job.recipe
        self.generator = generator
        self.rng = np.random.default_rng(seed)
        self.run_number = _number("run", job.dataset) % 900_000 + 100_000
        self.n_events = self.n_counted = self.n_recorded = 0
        self.sumw = self.sumw2 = 0.0
        self.parts: list[Rows] = []
        self.library: NDArray[np.float64] | None = None
        if self.recipe.leptons == "higgs_ww":
            wanted = (job.n_attempts or job.n_events) * job.n_responses
            self.library = higgs_decays(min(HIGGS_DECAYS, max(wanted, 100)), (seed >> 20) % 900_000_000 + 1)

    @property
    def n_attempted(self) -> int:
        """Events before the generator filter: the promised number for data, the counted one otherwise."""
        return self.generator.attempted if self.job.n_attempts is None else self.job.n_attempts

    def run(self) -> None:
        while True:
            batch = self.generator.batch(self._next_size())
            attempt = batch.attempt
            if self.job.n_attempts is not None:
                attempt = attempt[attempt <= self.job.n_attempts]
            is_complete = self._is_complete()
            # Data of so few attempts that none passes the filter make a file without rows.
            if len(attempt) or (is_complete and not self.parts):
                self._add(batch, len(attempt))
            if self._is_complete():
                return

    def _is_complete(self) -> bool:
        if self.job.n_attempts is not None:
            return self.generator.attempted >= self.job.n_attempts
        return self.n_events >= self.job.n_events

    def _next_size(self) -> int:
        if self.job.n_attempts is None:
            return min(BATCH_SIZE, self.job.n_events - self.n_events)
        accepted = max(self.n_events, 1) / max(self.generator.attempted, 1)
        missing = accepted * (self.job.n_attempts - self.generator.attempted)
        return int(np.clip(missing, 10, BATCH_SIZE))

    def _add(self, batch: "GeneratedBatch", n: int) -> None:
        from znought.simulation.copies import copies_of
        from znought.simulation.detector import respond
        from znought.simulation.ntuple import rows_of
        from znought.simulation.truth import truth_of

        truth = truth_of(batch.records[:n], self.recipe.leptons)
        weigher = self.recipe.weigher
        extra = {} if weigher is None else weigher.weigh(batch.captured[:n])
        first = self.n_events + 1
        for response in range(self.job.n_responses):
            seen = respond(truth, self._draw(truth), self.job.detector, skim=self.recipe.skim, rng=self.rng)
            copies = copies_of(seen, self.job, response, self.rng)
            event = copies.response.event
            weights: dict[str, NDArray[np.float64]] = {}
            if not self.job.is_data:
                weights["genWeight"] = batch.weights[event] * copies.weight / self.job.n_responses
                weights |= {name: np.asarray(values)[event] for name, values in extra.items()}
            self.parts.append(rows_of(copies.response, self._identity(event, first, response), weights))
        self.n_events += n
        self.n_counted += len(batch.counted)
        self.sumw += float(np.sum(batch.counted))
        self.sumw2 += float(np.sum(batch.counted**2))

    def _identity(self, rows: NDArray[np.int64], first: int, response: int) -> dict[str, NDArray[Any]]:
        from znought.simulation.copies import ordinals

        event = rows + first
        if self.job.is_data and self.recipe.skim == "misidentified":
            # One event of the generator stands for several that are recorded.
            event = self.n_recorded + 1 + np.arange(len(rows))
            self.n_recorded += len(rows)
        identity: dict[str, NDArray[Any]] = {
            "run": np.full(len(rows), self.run_number, dtype=np.uint32),
            "luminosityBlock": np.full(len(rows), self.job.index + 1, dtype=np.uint32),
            "event": event.astype(np.uint64),
        }
        if not self.job.is_data:
            number = response + self.job.n_responses * ordinals(rows)
            if number.max(initial=0) > MAX_RESPONSES:
                raise DataError(f"{self.job.dataset}: an event has more than {MAX_RESPONSES} rows.")
            identity["response"] = number.astype(np.uint8)
        return identity

    def _draw(self, truth: "Truth") -> Any:
        from znought.simulation import decays

        if self.library is not None:
            return decays.draw_higgs_ww(truth.source[:, 0], self.library, self.rng)
        if self.recipe.leptons == "tau_pair":
            return decays.draw_tau_pair(truth.source, self.rng)
        if self.recipe.leptons == "w_pair":
            return decays.draw_w_pair(truth.source, self.rng)
        if self.recipe.leptons == "w":
            return decays.draw_w(truth.source, truth.source_id, self.rng)
        return decays.LeptonDraw(truth.source, truth.source_id)

    def runs(self) -> dict[str, NDArray[Any]]:
        """The `Runs` tree: one row, sums over the events that are counted."""
        run = {"run": np.array([self.run_number], dtype=np.uint32)}
        if self.job.is_data:
            return run
        sums = {"genEventSumw": np.array([self.sumw]), "genEventSumw2": np.array([self.sumw2])}
        counts = {"genEventCount": self.n_counted, "genFilterAttempted": self.generator.attempted}
        return {**run, **sums, **{name: np.array([n], dtype=np.int64) for name, n in counts.items()}}
