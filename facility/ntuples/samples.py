"""Which datasets of a card are one sample, and which of their keys have an effect."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from znought.facility.cards.sections import Dataset

__all__ = ["extensions", "refuse_doubled_samples", "refuse_idle_keys"]

_OF_SIMULATION = (
    "xsec_pb",
    "branching_ratio",
    "k_factor",
    "filter_efficiency",
    "generated_sumw",
    "sample",
    "generator_range",
    "identity",
)
_OF_GENERATOR = ("n_responses",)
_SHARED = ("xsec_pb", "branching_ratio", "k_factor", "filter_efficiency")


def refuse_idle_keys(name: str, dataset: Dataset, *, is_data: bool) -> None:
    """Raises if a dataset sets a key that would have no effect.

    Raises:
        ValueError: with the key; pydantic turns it into a card error.
    """
    given = dataset.model_fields_set
    if is_data:
        for key in _OF_SIMULATION:
            if key in given and getattr(dataset, key) != Dataset.model_fields[key].default:
                raise ValueError(f"datasets.{name}.{key}: has no effect on data, take it out.")
    elif dataset.lumi_ifb is not None:
        raise ValueError(
            f"datasets.{name}.lumi_ifb: has no effect on simulation, which is scaled to the card's lumi_ifb; "
            "take it out."
        )
    if dataset.recipe is None and not is_data:
        for key in ("n_events", *_OF_GENERATOR):
            if key in given and getattr(dataset, key) != Dataset.model_fields[key].default:
                raise ValueError(f"datasets.{name}.{key}: has no effect without a recipe, take it out.")


def extensions(datasets: Mapping[str, Dataset], name: str) -> tuple[str, ...]:
    """Datasets that are one sample with a given one, itself among them: their sums of weights are added."""
    mine = datasets[name]
    if mine.sample is None or mine.generator_range:
        return (name,)
    return tuple(
        other
        for other, dataset in datasets.items()
        if (dataset.process, dataset.sample) == (mine.process, mine.sample) and not dataset.generator_range
    )


def refuse_doubled_samples(datasets: Mapping[str, Dataset], simulated: Sequence[str]) -> None:
    """Raises if two datasets look like one sample, or one sample has two normalisations.

    Raises:
        ValueError: with both names; pydantic turns it into a card error.
    """
    for one, two in combinations(simulated, 2):
        first, second = datasets[one], datasets[two]
        if two in extensions(datasets, one):
            for key in _SHARED:
                if getattr(first, key) != getattr(second, key):
                    raise ValueError(
                        f"datasets.{two}.{key}: {getattr(second, key)}, but datasets.{one} of the same "
                        "sample "
                        f"{first.sample!r} has {getattr(first, key)}; the parts of one sample share it."
                    )
            if (first.generated_sumw is None) != (second.generated_sumw is None):
                raise ValueError(
                    f"datasets.{two}.generated_sumw: give it to all datasets of the sample "
                    f"{first.sample!r}, or "
                    "to none."
                )
        elif _look_alike(first, second):
            raise ValueError(
                f"datasets.{two}: has the process and the cross section of datasets.{one}. If it is the same "
                "sample (an extension), give both the same `sample`: their sums of weights are added; if "
                "not, "
                "give them different ones."
            )


def _look_alike(one: Dataset, two: Dataset) -> bool:
    """Whether nothing but their files tells two datasets apart."""
    same = all(getattr(one, key) == getattr(two, key) for key in ("process", *_SHARED))
    said = one.generator_range or two.generator_range or one.sample or two.sample
    return same and not said and (one.recipe is None or one.recipe == two.recipe)
