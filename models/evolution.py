"""The evolutionary search of the SMEFT study: selection, crossover and mutation as pure functions.

References:
    Freitas, Khosa, Sanz, arXiv:1902.05803, and its public notebooks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from znought.errors import CardError
from znought.models.space import Gene, Genome, SpaceConfig

__all__ = ["EvolutionConfig", "children", "parents", "random_genome"]


@dataclass(frozen=True)
class EvolutionConfig:
    """Card section `search.evolution`.

    Attributes:
        population, generations: genomes per generation, and their number.
        retain: part of a generation, the fittest, that become parents.
        random_select: chance of each other genome to become a parent all the same.
        mutate_chance: chance of a child to have one of its parameters drawn anew.
        elitism: whether parents live on in the next generation (their value is known, not trained again).
    """

    population: int = 20
    generations: int = 10
    retain: float = 0.4
    random_select: float = 0.1
    mutate_chance: float = 0.2
    elitism: bool = True

    def __post_init__(self) -> None:
        if self.population < 3 or self.generations < 1:
            raise CardError(
                "search.evolution: expected population ≥ 3 and generations ≥ 1. "
                f"Received: {self.population}, {self.generations}."
            )
        for name in ("retain", "random_select", "mutate_chance"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise CardError(f"search.evolution.{name}: expected 0 … 1. Received: {getattr(self, name)}.")


def random_genome(space: SpaceConfig, seed: int, index: int) -> Genome:
    """Genome number `index` of the first generation."""
    random = np.random.default_rng((seed, 0, index))
    return {gene.name: _draw(gene, random) for gene in space.genes()}


def parents(
    graded: Sequence[tuple[Genome, float]], config: EvolutionConfig, random: np.random.Generator
) -> list[Genome]:
    """The fittest part of a generation, and each reject with a small chance; at least two.

    Fitness that is not finite is the worst.
    """
    order = sorted(graded, key=lambda item: item[1] if math.isfinite(item[1]) else -math.inf, reverse=True)
    n_retained = max(int(len(order) * config.retain), 2)
    lucky = [genome for genome, _ in order[n_retained:] if random.random() < config.random_select]
    return [genome for genome, _ in order[:n_retained]] + lucky


def children(
    graded: Sequence[tuple[Genome, float]],
    space: SpaceConfig,
    config: EvolutionConfig,
    *,
    seed: int,
    generation: int,
) -> list[Genome]:
    """The next generation: with elitism the parents and their children, otherwise children alone.

    Each child takes every parameter from one of two distinct parents; a mutation redraws one.

    Args:
        graded: genomes of the last generation with their fitness.
        space: the genes.
        config: sizes and chances.
        seed, generation: give the same generation whenever it is computed.
    """
    random = np.random.default_rng((seed, generation))
    chosen = parents(graded, config, random)
    born: list[Genome] = [dict(parent) for parent in chosen] if config.elitism else []
    while len(born) < config.population:
        one, two = random.choice(len(chosen), 2, replace=False)
        child = {
            gene.name: chosen[one if random.random() < 0.5 else two][gene.name] for gene in space.genes()
        }
        if random.random() < config.mutate_chance:
            gene = space.genes()[random.integers(len(space.genes()))]
            child[gene.name] = _draw(gene, random)
        born.append(child)
    return born[: config.population]


def _draw(gene: Gene, random: np.random.Generator) -> str | int | float:
    if gene.log_range:
        lower, upper = np.log(gene.log_range)
        return float(np.clip(np.exp(random.uniform(lower, upper)), *gene.log_range))
    return gene.choices[random.integers(len(gene.choices))]
