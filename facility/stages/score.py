"""Stage `score`: columns → network outputs, file by file on the workers."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from znought.facility.card_standard import StandardCard
from znought.facility.context import Context
from znought.facility.explanation import explain
from znought.facility.learning import LearningPlan, folds_of, learning_plan
from znought.facility.store import IDENTITY, EventTable, write_parquet
from znought.facility.tasks import arrivals, submit
from znought.facility.workspace import write_json
from znought.models.scoring import Scorer

__all__ = ["score"]

# Small files are scored together: a task must cost more than its overhead.
FILES_PER_TASK = 50


def score(context: Context[StandardCard]) -> Iterable[Path]:
    """Scores every file of every variation; a training event meets only the network that never saw it.

    Writes `scores/` and, of what the networks have learned, `explanation.json`.
    """
    workspace = context.workspace
    plan = learning_plan(context.card, workspace)
    files = sorted(workspace.columns.glob("*/*/*.parquet"))
    groups = [files[i : i + FILES_PER_TASK] for i in range(0, len(files), FILES_PER_TASK)]
    client = context.cluster()
    futures = [
        submit(
            client,
            _score_files,
            plan,
            [str(path.resolve()) for path in group],
            str(workspace.scores.resolve()),
            str(workspace.models.resolve()),
            retries=2,
        )
        for group in groups
    ]
    explained = submit(client, explain, plan, str(workspace.models.resolve()), retries=2)
    written: list[Path] = []
    with context.reporter.bar("scoring") as advance:
        for future in arrivals(client, futures):
            written.extend(Path(path) for path in future.result())
            advance(len(written), len(files), "files")
    stale = set(workspace.scores.glob("*/*/*.parquet")) - {_below(workspace.scores, path) for path in written}
    for path in stale:
        path.unlink()
    write_json(workspace.explanation, next(arrivals(client, [explained])).result())
    return [*(_below(workspace.scores, path) for path in written), workspace.explanation]


def _below(scores: Path, path: Path) -> Path:
    """The same file, named as the workspace names it."""
    return scores.joinpath(*path.parts[-3:])


def _score_files(plan: LearningPlan, files: list[str], scores: str, models: str) -> list[str]:
    """On a worker: scores of some files, written beside each other under the same names."""
    scorer = Scorer.load(models)
    written = []
    for name in files:
        path = Path(scores).joinpath(*Path(name).parts[-3:])
        _score_file(plan, scorer, Path(name), path)
        written.append(str(path))
    return written


def _score_file(plan: LearningPlan, scorer: Scorer, source: Path, target: Path) -> None:
    dataset = source.parts[-3]
    # Variations that only change weights stand as further weight columns beside the nominal one.
    weights = [name for name in pq.read_schema(source).names if name.startswith("gen_weight")]
    names = [*IDENTITY, *weights, *scorer.manifest.feature_names]
    read = pq.read_table(source, columns=names)
    columns = {name: read.column(name).to_numpy() for name in names}
    table = EventTable(columns, np.zeros(read.num_rows, dtype=np.int16), (dataset,))
    fold = folds_of(plan, table)
    scores = scorer.score(scorer.features(columns), fold)
    outputs = {f"score_{name}": scores[:, i] for i, name in enumerate(plan.classes)}
    scaled = {name.replace("gen_", "event_"): columns[name] * plan.scale[dataset] for name in weights}
    write_parquet(target, {name: columns[name] for name in IDENTITY} | scaled | {"fold": fold} | outputs)
