"""Stage `tune`: trials of networks and of trees on the workers, for area or held-out Z₀."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from znought.facility.cards.standard import StandardCard
from znought.facility.cluster.preflight import check_workers
from znought.facility.context import Context
from znought.facility.learning.merit import search_merit
from znought.facility.learning.plan import LearningPlan, learning_plan
from znought.facility.learning.searching import (
    FOLD,
    AreaJudge,
    Judge,
    NetworkTrial,
    best_trees,
    check_search_part,
    drive,
    search_trees,
    write_search,
)
from znought.facility.learning.training import held_data
from znought.facility.stages.train import network_task
from znought.models.boosting import BoostingConfig, grown_scores
from znought.models.network import NetworkConfig
from znought.models.search import Search

__all__ = ["BoostingTrial", "tune"]


@dataclass(frozen=True)
class BoostingTrial:
    """What all trials of boosted trees share.

    Attributes:
        plan: what is trained on.
        boosting: settings of the card.
        judge: as for networks.
    """

    plan: LearningPlan
    boosting: BoostingConfig
    judge: Judge

    def value(self, settings: Mapping[str, Any]) -> float:
        """On a worker: what trees with these settings in place of the card's are worth."""
        data, plan = held_data(self.plan)[0], self.plan
        scores = grown_scores(
            data.without_search(),
            FOLD,
            replace(self.boosting, **settings),
            plan.training,
            classes=plan.classes,
            feature_names=plan.features,
        )
        return self.judge.worth(data, scores)


def tune(context: Context[StandardCard]) -> Iterable[Path]:
    """Writes `search/trials.json` and `search/network.yaml`, sections to put into the card."""
    card, workspace = context.card, context.workspace
    check_search_part(card.training)
    plan = learning_plan(card, workspace)
    judge = search_merit(card, plan) if card.search.objective == "z0" else AreaJudge(plan.classes)
    task = network_task(card, workspace, workspace.search)
    trial = NetworkTrial(task, judge, str(workspace.search.resolve()))
    client = context.cluster()
    check_workers(client, "train")
    workspace.search.mkdir(parents=True, exist_ok=True)
    search = Search(card.search, card.network or NetworkConfig(), workspace.search / "trials.log")
    with context.reporter.bar("searching networks") as advance:
        drive(client, search, trial, advance)
    trees = BoostingTrial(plan, card.boosting, judge)
    with context.reporter.bar("searching trees") as advance:
        grown = search_trees(client, trees, card.search.trees, card.search.seed, advance)
    best, network = search.best()
    sections: dict[str, Mapping[str, Any]] = {"network": asdict(network)}
    if (found := best_trees(grown)) is not None:
        sections["boosting"] = asdict(card.boosting) | found.settings
    sections["training"] = {"search_fraction": card.training.search_fraction}
    written = write_search(workspace, search, sections, grown)
    note = f"best trial {best.number}: {best.value:.4f}" + (f", trees {found.value:.4f}" if found else "")
    context.reporter.stage("tune", f"{note}; sections for the card in {written[-1]}")
    return written
