"""The generator of a recipe: Pythia, Sherpa, or Sherpa's partons in Pythia's shower."""

from collections.abc import Iterator
from contextlib import contextmanager

from znought.simulation.batch import Generator
from znought.simulation.pythia import PythiaGenerator
from znought.simulation.recipe import Recipe

__all__ = ["generating"]


@contextmanager
def generating(recipe: Recipe, seed: int) -> Iterator[Generator]:
    """A seeded generator of the recipe's events, which ends with the context.

    Raises:
        CardError: the recipe needs Sherpa, which is not installed.
        DataError: a generator does not start.
    """
    generator = _generator(recipe, seed)
    try:
        yield generator
    finally:
        generator.close()


def _generator(recipe: Recipe, seed: int) -> Generator:
    if recipe.matrix_element is None:
        return PythiaGenerator(recipe, seed)
    if recipe.matrix_element.shower == "pythia":
        from znought.simulation.sherpa.partons import PartonFeed

        return PythiaGenerator(recipe, seed, PartonFeed(recipe, seed))
    from znought.simulation.sherpa.generator import SherpaGenerator

    return SherpaGenerator(recipe, seed)
