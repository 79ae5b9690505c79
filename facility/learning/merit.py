"""The significance that a search maximises: held-out Z0 on the events set apart for it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from znought.errors import DataError
from znought.facility.cards.sections import CrossFit
from znought.facility.cards.standard import StandardCard
from znought.facility.events.store import read_events
from znought.facility.learning.plan import LearningPlan
from znought.facility.learning.searching import Score
from znought.models.folds import SEARCHED
from znought.models.samples import TrainingData
from znought.processors.regions import Region, regions_from_card
from znought.stats.binning import BinningConfig
from znought.stats.crossfit import cross_fitted

__all__ = ["SearchMerit", "search_merit"]


@dataclass(frozen=True)
class SearchMerit:
    """How the events set apart for a search become a significance.

    Attributes:
        plan: of the training data.
        signal: datasets of the signal process.
        signal_class: whose score is binned.
        region: events that are binned.
        binning, crossfit: how edges are found, and kept from the events that they are quoted on.
    """

    plan: LearningPlan
    signal: tuple[str, ...]
    signal_class: str
    region: Region
    binning: BinningConfig
    crossfit: CrossFit

    def worth(self, data: TrainingData, score: Score) -> float:
        """Z0 with the part's weights scaled to the luminosity of all events; 0 where nothing is separated.

        Processes without a class, which no training sees, are not in its background.

        Args:
            data: of repeat 0, where the events to judge have the fold −2.
            score: unscaled inputs → scores.
        """
        plan, rows = self.plan, np.flatnonzero(data.fold == SEARCHED)
        cuts = [cut.variable for cut in self.region.cuts]
        table = read_events(Path(plan.columns), tuple(plan.class_of), cuts)
        rows = rows[self.region.mask(table.columns)[rows]]
        is_signal = table.per_dataset({name: name in self.signal for name in table.datasets})[rows]
        try:
            estimate = cross_fitted(
                score(data.features[rows])[:, plan.classes.index(self.signal_class)],
                data.weights[rows] / plan.training.search_fraction,
                is_signal,
                data.identity[rows],
                config=self.binning,
                n_parts=self.crossfit.n_parts,
                n_bootstrap=2,
                seed=self.crossfit.seed,
            )
        except DataError:
            # No bin holds both signal and background.
            return 0.0
        return estimate.held_out


def search_merit(card: StandardCard, plan: LearningPlan) -> SearchMerit:
    """The merit of a card's signal region."""
    signal = tuple(name for name, entry in card.datasets.items() if entry.process == card.signal)
    region = (
        Region("all") if card.signal_region is None else regions_from_card(card.regions)[card.signal_region]
    )
    return SearchMerit(plan, signal, str(card.class_of_signal), region, card.binning, card.crossfit)
