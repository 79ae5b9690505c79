"""The space of networks that a search explores, as genes with names and choices."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from znought.errors import CardError
from znought.models.network import NetworkConfig

__all__ = ["Gene", "Genome", "SpaceConfig"]

Genome = dict[str, str | int | float]


@dataclass(frozen=True)
class Gene:
    """One parameter: a choice among values, or a number log-uniform between two ends."""

    name: str
    choices: tuple[str | int | float, ...] = ()
    log_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class SpaceConfig:
    """Card section `search.space`; the defaults are those of Basso, CAP 2020.

    Attributes:
        nodes: choices for every hidden layer.
        n_layers: fewest and most hidden layers.
        shared_width: one number of nodes for all layers, as in the SMEFT study.
        activations, optimisers: choices.
        dropouts, hidden_noises, learning_rate_decays: choices; none keeps that of the card, as
            published.
        learning_rate: lowest and highest, log-uniform; None keeps that of the card.
    """

    nodes: tuple[int, ...] = tuple(range(10, 101, 10))
    n_layers: tuple[int, int] = (2, 12)
    shared_width: bool = False
    activations: tuple[str, ...] = ("elu", "relu")
    optimisers: tuple[str, ...] = ("adam",)
    dropouts: tuple[float, ...] = ()
    hidden_noises: tuple[float, ...] = ()
    learning_rate_decays: tuple[float, ...] = ()
    learning_rate: tuple[float, float] | None = (1e-7, 1e-2)

    def __post_init__(self) -> None:
        if not 1 <= self.n_layers[0] <= self.n_layers[1]:
            raise CardError(f"search.space.n_layers: expected 1 ≤ fewest ≤ most. Received: {self.n_layers}.")
        if not (self.nodes and self.activations and self.optimisers):
            raise CardError(
                "search.space: expected at least one choice each of nodes, activations and optimisers."
            )
        if self.learning_rate and not 0.0 < self.learning_rate[0] < self.learning_rate[1]:
            raise CardError(
                f"search.space.learning_rate: expected 0 < lowest < highest. Received: {self.learning_rate}."
            )

    def genes(self) -> tuple[Gene, ...]:
        """All genes; nodes of layers beyond `n_layers` are carried along unused."""
        widths = 1 if self.shared_width else self.n_layers[1]
        genes = [
            Gene("n_layers", tuple(range(self.n_layers[0], self.n_layers[1] + 1))),
            *(Gene(f"nodes_{layer}", self.nodes) for layer in range(widths)),
            Gene("activation", self.activations),
            Gene("optimiser", self.optimisers),
        ]
        for name, choices in (
            ("dropout", self.dropouts),
            ("hidden_noise", self.hidden_noises),
            ("learning_rate_decay", self.learning_rate_decays),
        ):
            if choices:
                genes.append(Gene(name, choices))
        if self.learning_rate:
            genes.append(Gene("learning_rate", log_range=self.learning_rate))
        return tuple(genes)

    def suggest(self, trial: Any) -> Genome:
        """Genome of an Optuna trial."""
        genome: Genome = {}
        for gene in self.genes():
            if gene.log_range:
                genome[gene.name] = trial.suggest_float(gene.name, *gene.log_range, log=True)
            else:
                genome[gene.name] = trial.suggest_categorical(gene.name, gene.choices)
        return genome

    def network(self, base: NetworkConfig, genome: Mapping[str, Any]) -> NetworkConfig:
        """The network that a genome describes, all else as in `base`.

        >>> genome = {"n_layers": 2, "nodes_0": 30, "activation": "relu", "optimiser": "adam"}
        >>> SpaceConfig(shared_width=True, learning_rate=None).network(NetworkConfig(), genome).hidden_nodes
        (30, 30)
        """
        layers = range(int(genome["n_layers"]))
        nodes = tuple(int(genome["nodes_0" if self.shared_width else f"nodes_{layer}"]) for layer in layers)
        return replace(
            base,
            hidden_nodes=nodes,
            activation=genome["activation"],
            optimiser=genome["optimiser"],
            dropout=float(genome.get("dropout", base.dropout)),
            hidden_noise=float(genome.get("hidden_noise", base.hidden_noise)),
            learning_rate_decay=float(genome.get("learning_rate_decay", base.learning_rate_decay)),
            learning_rate=float(genome.get("learning_rate", base.learning_rate)),
        )
