"""A model that was trained elsewhere: taken where one would be trained, and applied to every event."""

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from znought.errors import CardError
from znought.facility.cards.sections import BroughtModel, FoldRule
from znought.facility.cards.standard import StandardCard
from znought.facility.cluster.preflight import check_workers
from znought.facility.cluster.tasks import arrivals, spread, submit
from znought.facility.context import Context
from znought.facility.events.store import IDENTITY, read_events, write_parquet
from znought.facility.learning.explanation import EVENTS, importances
from znought.facility.learning.plan import TRAINING_PART, UNTRAINED_PART, LearningPlan, learning_plan
from znought.facility.metrics.tally import count
from znought.facility.results.explained import Explanation, InputImportance, write_explanation
from znought.facility.workspace import Workspace, write_json
from znought.models.brought import BroughtClassifier
from znought.models.explain import permutation_importance
from znought.models.folds import UNTRAINED
from znought.models.samples import balanced_weights

__all__ = ["inputs", "score_brought", "take_model"]

_FILES_PER_TASK = 50
_UNKNOWN_TRAINING = (
    "{files} comes without a fold rule (model.folds): whether it was trained on these events is not known, "
    "and areas, bins and significances may be better than new events would have them."
)


@dataclass(frozen=True)
class _Task:
    """Files of one dataset, and the model that scores them; small, as it travels.

    Attributes:
        model: the card's section.
        networks: paths of its files.
        classes: of the card, in order.
        files: columns of the dataset.
        scores: folder that the scores are written below, under the same names.
        scale: expected events per unit of generator weight.
        has_class: whether the dataset's process is of a class.
    """

    model: BroughtModel
    networks: tuple[str, ...]
    classes: tuple[str, ...]
    files: tuple[str, ...]
    scores: str
    scale: float
    has_class: bool


def inputs(context: Context[StandardCard]) -> object:
    """Beyond the card: the content of the model's files.

    Raises:
        CardError: one of them does not exist.
    """
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in _given(context.card)]


def take_model(context: Context[StandardCard]) -> Iterable[Path]:
    """Copies the model into `models/` once it is known to fit inputs and classes; nothing is trained.

    Raises:
        DataError: a file is no model, or takes or gives other numbers of values than the card says.
    """
    card, folder = context.card, context.workspace.models
    given = _given(card)
    model = _section(card)
    _load(model, given, card.classes)
    taken = [folder / f"network_{number}{path.suffix}" for number, path in enumerate(given)]
    folder.mkdir(parents=True, exist_ok=True)
    for path in set(folder.iterdir()) - set(taken):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path, copy in zip(given, taken, strict=True):
        shutil.copyfile(path, copy)
    names = ", ".join(path.name for path in given)
    context.reporter.remark(f"Takes {names} with {len(model.inputs)} inputs; nothing is trained.")
    if model.folds is None:
        context.reporter.remark(_UNKNOWN_TRAINING.format(files=names))
    write_json(
        folder / "model.json", {"files": [path.name for path in given], **model.model_dump(mode="json")}
    )
    return [*taken, folder / "model.json"]


def score_brought(context: Context[StandardCard]) -> Iterable[Path]:
    """Scores every file of every variation; writes `scores/` and `explanation.json`.

    Raises:
        DataError: the model gives something else than scores, or its fold rule names a network that it lacks.
    """
    card, workspace = context.card, context.workspace
    plan, client = learning_plan(card, workspace), context.cluster()
    if any(path.suffix == ".keras" for path in map(Path, _section(card).files)):
        check_workers(client, "train")
    tasks = list(_tasks(card, workspace, plan))
    explained = submit(client, _importance, plan, tasks[0], retries=2)
    futures, n_files = spread(client, _score_task, tasks, retries=2), sum(len(task.files) for task in tasks)
    with context.reporter.bar("scoring") as advance:
        done = 0
        for future in arrivals(client, futures):
            done += len(future.result())
            advance(done, n_files, "files")
    names = [name for future in futures for name in future.result()]
    written = [workspace.scores.joinpath(*Path(name).parts[-3:]) for name in names]
    for stale in set(workspace.scores.glob("*/*/*.parquet")) - set(written):
        stale.unlink()
    importance = next(arrivals(client, [explained])).result()
    write_explanation(workspace.explanation, Explanation(importance=importance, attribution={}, tails=()))
    return [*written, workspace.explanation]


def _section(card: StandardCard) -> BroughtModel:
    assert card.model is not None, "the flow has this stage only with a model"
    return card.model


def _given(card: StandardCard) -> list[Path]:
    """The files that the card names, in its folder."""
    paths = [card.folder / name for name in _section(card).files]
    for path in paths:
        if not path.is_file():
            raise CardError(f"model.files: no such file {path}.")
    return paths


def _load(model: BroughtModel, files: Sequence[Path], classes: Sequence[str]) -> BroughtClassifier:
    return BroughtClassifier.load(
        files, inputs=model.inputs, classes=model.outputs or classes, output=model.output
    )


def _tasks(card: StandardCard, workspace: Workspace, plan: LearningPlan) -> Iterator[_Task]:
    """The files of every dataset in the columns, in groups."""
    model = _section(card)
    networks = [workspace.models / f"network_{k}{Path(name).suffix}" for k, name in enumerate(model.files)]
    for dataset in (*plan.class_of, *plan.others):
        files = sorted(str(path.resolve()) for path in workspace.columns.glob(f"{dataset}/*/*.parquet"))
        for first in range(0, max(len(files), 1), _FILES_PER_TASK):
            yield _Task(
                model,
                tuple(str(path.resolve()) for path in networks),
                plan.classes,
                tuple(files[first : first + _FILES_PER_TASK]),
                str(workspace.scores.resolve()),
                plan.scale[dataset],
                dataset in plan.class_of,
            )


def _score_task(task: _Task) -> list[str]:
    """On a worker: scores of some files, written beside each other under the names of the columns."""
    scorer = _load(task.model, [Path(name) for name in task.networks], task.classes)
    written = []
    for name in task.files:
        path = Path(task.scores).joinpath(*Path(name).parts[-3:])
        _score_file(task, scorer, Path(name), path)
        written.append(str(path))
    return written


def _score_file(task: _Task, scorer: BroughtClassifier, source: Path, target: Path) -> None:
    # Variations that only change weights stand as further weight columns beside the nominal one.
    weights = [name for name in pq.read_schema(source).names if name.startswith("gen_weight")]
    rule = task.model.folds
    names = [*IDENTITY, *weights, *task.model.inputs, *([] if rule is None else [rule.column])]
    read = pq.read_table(source, columns=list(dict.fromkeys(names)))
    columns = {name: read.column(name).to_numpy() for name in read.column_names}
    scores, folds = _scored(scorer, columns, rule)
    n_events = read.num_rows
    count(events=n_events)
    is_known = rule is not None and task.has_class
    part = np.full(n_events, TRAINING_PART if is_known else UNTRAINED_PART, np.int8)
    fold = np.full(n_events, UNTRAINED, np.int8) if folds is None else folds.astype(np.int8)
    kept = {name: columns[name] for name in IDENTITY}
    kept |= {name.replace("gen_", "event_"): columns[name] * task.scale for name in weights}
    outputs = {f"score_{name}": scores[:, scorer.classes.index(name)] for name in task.classes}
    write_parquet(target, kept | {"fold": fold, "part": part} | outputs)


def _scored(
    scorer: BroughtClassifier, columns: Mapping[str, NDArray[np.generic]], rule: FoldRule | None
) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    """Scores of every event, and its fold by the rule."""
    features = np.stack([np.asarray(columns[name], np.float32) for name in scorer.inputs], axis=1)
    if rule is None:
        return scorer.score(features), None
    folds = np.asarray(columns[rule.column])
    if rule.modulo is not None:
        folds = folds % np.asarray(rule.modulo, folds.dtype)
    found = folds.astype(np.int64)
    return scorer.score(features, found), found


def _importance(plan: LearningPlan, task: _Task) -> dict[str, InputImportance]:
    """On a worker: loss of macro AUC when each input is shuffled."""
    scorer = _load(task.model, [Path(name) for name in task.networks], task.classes)
    rule, folder, datasets = task.model.folds, Path(plan.columns), tuple(plan.class_of)
    extra = [] if rule is None or rule.column in IDENTITY else [rule.column]
    table = read_events(folder, datasets, ["gen_weight", *scorer.inputs, *extra])
    rows = np.arange(0, len(table), max(len(table) // EVENTS, 1))
    index = table.per_dataset(plan.class_of).astype(np.int64)[rows]
    scale = table.per_dataset({name: plan.scale[name] for name in datasets})[rows]
    columns = {name: values[rows] for name, values in table.columns.items()}
    weights = balanced_weights(np.abs(columns["gen_weight"] * scale), index, plan.classes)
    order = [scorer.classes.index(name) for name in plan.classes]

    def score(features: NDArray[np.float32]) -> NDArray[np.float32]:
        moved = columns | {name: features[:, i] for i, name in enumerate(scorer.inputs)}
        return _scored(scorer, moved | _fold_column(columns, rule), rule)[0][:, order]

    features = table.matrix(scorer.inputs)[rows]
    found = permutation_importance(score, features, index, weights, feature_names=scorer.inputs)
    return importances(found)


def _fold_column(
    columns: Mapping[str, NDArray[np.generic]], rule: FoldRule | None
) -> dict[str, NDArray[np.generic]]:
    """The column of the rule, which is not shuffled even where it is an input."""
    return {} if rule is None else {rule.column: columns[rule.column]}
