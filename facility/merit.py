"""The significance that a search maximises: held-out Z0 on the stop part of a training."""

from dataclasses import dataclass
from pathlib import Path

from znought.facility.card_sections import CrossFit
from znought.facility.card_standard import StandardCard
from znought.facility.learning import LearningPlan
from znought.facility.store import read_events
from znought.models.samples import TrainingConfig, TrainingData, stop_rows
from znought.models.scoring import scores_of
from znought.models.training import TrainedFold
from znought.processors.regions import Region, regions_from_card
from znought.stats.binning import BinningConfig
from znought.stats.crossfit import cross_fitted

__all__ = ["StopMerit", "stop_merit"]


@dataclass(frozen=True)
class StopMerit:
    """How the events that stop a training become a significance.

    Attributes:
        signal: datasets of the signal process.
        signal_class: whose score is binned.
        region: events that are binned.
        binning, crossfit: how edges are found, and kept from the events that they are quoted on.
    """

    signal: tuple[str, ...]
    signal_class: str
    region: Region
    binning: BinningConfig
    crossfit: CrossFit

    def of(self, plan: LearningPlan, data: TrainingData, trained: TrainedFold) -> float:
        """Z0 with the stop part's weights scaled to the luminosity of all events.

        Processes without a class, which no training sees, are not in its background.

        Args:
            plan: of the training data.
            data: what the network was trained on.
            trained: network of one fold.

        Raises:
            DataError: no signal or background is left in the range of the binning.
        """
        rows = stop_rows(data, trained.fold, plan.training)
        cuts = [cut.variable for cut in self.region.cuts]
        table = read_events(Path(plan.columns), tuple(plan.class_of), cuts)
        rows = rows[self.region.mask(table.columns)[rows]]
        scores = scores_of(trained, data.features[rows], plan.features)
        is_signal = table.per_dataset({name: name in self.signal for name in table.datasets})[rows]
        estimate = cross_fitted(
            scores[:, plan.classes.index(self.signal_class)],
            data.weights[rows] / _seen_part(plan.training),
            is_signal,
            data.identity[rows],
            config=self.binning,
            n_parts=self.crossfit.n_parts,
            n_bootstrap=2,
            seed=self.crossfit.seed,
        )
        return estimate.held_out


def stop_merit(card: StandardCard) -> StopMerit:
    """The merit of a card's signal region."""
    signal = tuple(name for name, entry in card.datasets.items() if entry.process == card.signal)
    region = (
        Region("all") if card.signal_region is None else regions_from_card(card.regions)[card.signal_region]
    )
    return StopMerit(signal, str(card.class_of_signal), region, card.binning, card.crossfit)


def _seen_part(training: TrainingConfig) -> float:
    """Expected part of all events that lies in the stop part of one fold."""
    return training.stop_fraction * (1.0 - 1.0 / training.n_folds) * (1.0 - training.test_fraction)
