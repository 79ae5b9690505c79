"""Settings of boosted trees drawn at random: what a search for trees tries, as one for networks does."""

from dataclasses import dataclass

import numpy as np

from znought.errors import CardError

__all__ = ["TreesSpace"]


@dataclass(frozen=True)
class TreesSpace:
    """Card section `search.trees`; names as in scikit-learn's histogram gradient boosting.

    Attributes:
        n_trials: settings tried, those of the card first; 0 for no search.
        learning_rate: lowest and highest, log-uniform.
        max_leaf_nodes, min_samples_leaf: choices.
    """

    n_trials: int = 12
    learning_rate: tuple[float, float] = (0.02, 0.3)
    max_leaf_nodes: tuple[int, ...] = (7, 15, 31, 63)
    min_samples_leaf: tuple[int, ...] = (20, 50, 100, 200)

    def __post_init__(self) -> None:
        if self.n_trials < 0:
            raise CardError(f"search.trees.n_trials: expected at least 0. Received: {self.n_trials}.")
        if not 0.0 < self.learning_rate[0] < self.learning_rate[1] <= 1.0:
            raise CardError(
                f"search.trees.learning_rate: expected 0 < lowest < highest ≤ 1. Received: "
                f"{self.learning_rate}."
            )
        if not (self.max_leaf_nodes and self.min_samples_leaf):
            raise CardError("search.trees: expected at least one choice each of leaf nodes and leaf sizes.")

    def drawn(self, trial: int, seed: int) -> dict[str, float | int]:
        """Settings of one trial; those of trial 0 are the card's own, and nothing is changed.

        >>> TreesSpace().drawn(0, 1)
        {}
        >>> sorted(TreesSpace().drawn(3, 1))
        ['learning_rate', 'max_leaf_nodes', 'min_samples_leaf']
        """
        if trial == 0:
            return {}
        random = np.random.default_rng((seed, trial))
        low, high = np.log(self.learning_rate)
        return {
            "learning_rate": float(np.exp(random.uniform(low, high))),
            "max_leaf_nodes": int(random.choice(self.max_leaf_nodes)),
            "min_samples_leaf": int(random.choice(self.min_samples_leaf)),
        }
