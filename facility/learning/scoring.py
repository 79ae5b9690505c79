"""Columns scored on workers, whatever the analysis: each event by the networks of its own folds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from distributed import Client
from numpy.typing import NDArray

from znought.facility.cluster.tasks import arrivals, spread
from znought.facility.events.store import IDENTITY, EventTable, column_bytes, write_parquet
from znought.facility.learning.plan import TRAINING_PART, parts_of, quoted_share, scoring_folds
from znought.facility.metrics.tally import count
from znought.facility.progress import Advance
from znought.facility.results.explained import Tail
from znought.models.folds import UNTRAINED
from znought.models.samples import TrainingConfig
from znought.models.scoring import Scorer

__all__ = [
    "TAIL_CUTS",
    "ScoreTask",
    "ScoringModel",
    "repeat_columns",
    "score_files",
    "scored_files",
    "tails_of",
]

TAIL_CUTS = (0.9, 0.95, 0.98)
"""Outputs above which the share of each network's events is kept: templates are steepest there."""

Tails = dict[tuple[str, int, str], NDArray[np.float64]]
"""(model, network, output) → Σ|w| of all of a dataset's training events and of those above each cut."""


@dataclass(frozen=True)
class ScoringModel:
    """The networks of one folder.

    Attributes:
        name: of the model, for its tails.
        folder: of the networks.
        columns: class → column that its output is written to; others are left out.
        constants: input → value for every event: the coefficient of a parametrised network.
        by_repeat: class whose output in each repeat of the folds is written for nominal events, too.
    """

    name: str
    folder: str
    columns: Mapping[str, str]
    constants: Mapping[str, float] = field(default_factory=dict)
    by_repeat: str | None = None


@dataclass(frozen=True)
class ScoreTask:
    """Files of one dataset, and the networks that score them; small, as it travels.

    Attributes:
        dataset: name.
        files: columns.
        scores: folder that the scores are written below, under the same names.
        models: of the networks.
        scale: expected events per unit of generator weight.
        training: fold rule.
        is_trained: whether networks are trained on the dataset.
    """

    dataset: str
    files: tuple[str, ...]
    scores: str
    models: tuple[ScoringModel, ...]
    scale: float
    training: TrainingConfig
    is_trained: bool = True


@dataclass(frozen=True)
class _Scored:
    """What one task gives back."""

    dataset: str
    files: tuple[str, ...]
    tails: Tails


def score_files(
    client: Client, tasks: Sequence[ScoreTask], advance: Advance
) -> tuple[list[Path], dict[str, Tails]]:
    """Paths of the scores of every task's files, and the tails of each network by dataset."""
    futures = spread(client, _score_task, tasks, retries=2)
    done, n_files = 0, sum(len(task.files) for task in tasks)
    for future in arrivals(client, futures):
        done += len(future.result().files)
        advance(done, n_files, "files")
    written: list[Path] = []
    tails: dict[str, Tails] = {}
    # In the order of the tasks: sums must not depend on which worker was the faster one.
    for future in futures:
        scored = future.result()
        written.extend(Path(name) for name in scored.files)
        sums = tails.setdefault(scored.dataset, {})
        for key, values in scored.tails.items():
            sums[key] = sums.get(key, 0.0) + values
    return written, tails


def tails_of(tails: Mapping[str, Tails], datasets: Mapping[str, str], n_folds: int) -> tuple[Tail, ...]:
    """Share of each class's training events above each cut, network by network, each on its own fold.

    Args:
        tails: by dataset.
        datasets: dataset → class, or process; others are left out.
        n_folds: K.
    """
    sums: dict[tuple[str, int, str, str], NDArray[np.float64]] = {}
    for dataset, name in datasets.items():
        for (model, network, output), values in tails.get(dataset, {}).items():
            key = (model, network, output, name)
            sums[key] = sums.get(key, 0.0) + values
    return tuple(
        Tail(
            model=model,
            repeat=network // n_folds,
            fold=network % n_folds,
            output=output,
            class_name=name,
            above=dict(zip(map(str, TAIL_CUTS), (values[1:] / values[0]).tolist(), strict=True)),
        )
        for (model, network, output, name), values in sorted(sums.items())
        if values[0] > 0
    )


def _score_task(task: ScoreTask) -> _Scored:
    """On a worker: scores of some files, written beside each other under the names of the columns."""
    scorers = {model.name: Scorer.load(model.folder) for model in task.models}
    return scored_files(task, scorers)


def scored_files(task: ScoreTask, scorers: Mapping[str, Scorer]) -> _Scored:
    """Scores of the files of a task, by the scorers of its models."""
    tails: Tails = {}
    written = []
    for name in task.files:
        path = Path(task.scores).joinpath(*Path(name).parts[-3:])
        _score_file(task, scorers, Path(name), path, tails)
        written.append(str(path))
    return _Scored(task.dataset, tuple(written), tails)


def _score_file(
    task: ScoreTask, scorers: Mapping[str, Scorer], source: Path, target: Path, tails: Tails
) -> None:
    # Variations that only change weights stand as further weight columns beside the nominal one.
    opened = pq.ParquetFile(source)
    weights = [name for name in opened.schema_arrow.names if name.startswith("gen_weight")]
    inputs = {
        name
        for model in task.models
        for name in scorers[model.name].manifest.feature_names
        if name not in model.constants
    }
    names = list(dict.fromkeys([*IDENTITY, *weights, *sorted(inputs)]))
    read = opened.read(columns=names)
    count(events=read.num_rows, bytes_read=column_bytes(opened, names))
    columns = {name: read.column(name).to_numpy() for name in names}
    table = EventTable(columns, np.zeros(read.num_rows, dtype=np.int16), (task.dataset,))
    trained = np.full(len(table), task.is_trained)
    part, folds = parts_of(task.training, table, trained), scoring_folds(task.training, table, trained)
    size = np.where(part == TRAINING_PART, np.abs(columns["gen_weight"]), 0.0)
    is_nominal = source.parts[-2] == "nominal"
    outputs: dict[str, NDArray[Any]] = {}
    for model in task.models:
        outputs |= _outputs(model, scorers[model.name], columns, folds, size, tails if is_nominal else None)
    factor = task.scale * (quoted_share(task.training, part) if task.is_trained else 1.0)
    scaled = {name.replace("gen_", "event_"): columns[name] * factor for name in weights}
    kept = {name: columns[name] for name in IDENTITY} | scaled
    write_parquet(target, kept | {"fold": folds[:, 0], "part": part} | outputs)


def _outputs(
    model: ScoringModel,
    scorer: Scorer,
    columns: Mapping[str, NDArray[Any]],
    folds: NDArray[np.int8],
    size: NDArray[np.float64],
    tails: Tails | None,
) -> dict[str, NDArray[np.float32]]:
    """Scores of one model by column; the tails of each of its networks are added up on the way.

    Where tails are wanted, events are nominal and have the score of the model's class in each repeat, too.
    """
    constants = {name: np.full(len(folds), value) for name, value in model.constants.items()}
    classes, n_folds = scorer.manifest.classes, scorer.manifest.n_folds
    kept = None if tails is None or model.by_repeat is None else classes.index(model.by_repeat)
    by_repeat = np.zeros((0 if kept is None else scorer.manifest.n_repeats, len(folds)))

    def add(network: int, rows: NDArray[np.intp], scores: NDArray[np.float32]) -> None:
        if tails is None:
            return
        if kept is not None:
            share = np.where(folds[rows, network // n_folds] == UNTRAINED, n_folds, 1)
            by_repeat[network // n_folds, rows] += scores[:, kept] / share
        for name in model.columns:
            values = scores[:, classes.index(name)]
            sums = np.array([np.sum(size[rows] * (values > cut)) for cut in (-1.0, *TAIL_CUTS)])
            key = (model.name, network, name)
            tails[key] = tails.get(key, 0.0) + sums

    scores = scorer.score(scorer.features({**columns, **constants}), folds, on_network=add)
    found = {column: scores[:, classes.index(name)] for name, column in model.columns.items()}
    if model.by_repeat is not None:
        found |= repeat_columns(model.columns[model.by_repeat], by_repeat)
    return found


def repeat_columns(column: str, scores: NDArray[np.floating]) -> dict[str, NDArray[np.float32]]:
    """Scores in each repeat of the folds by column, none of fewer than two.

    Args:
        column: of the mean over repeats.
        scores: shape (n_repeats, n_events).

    >>> sorted(repeat_columns("score_VH", np.zeros((2, 5))))
    ['score_VH_repeat0', 'score_VH_repeat1']
    """
    if len(scores) < 2:
        return {}
    return {f"{column}_repeat{repeat}": values.astype(np.float32) for repeat, values in enumerate(scores)}
