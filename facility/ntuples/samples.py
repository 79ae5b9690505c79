"""Which datasets of a card are one sample, and which of their keys have an effect."""

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

from znought.facility.cards.sections import Dataset, check_known, refuse_overlaps

__all__ = ["check_samples", "divided", "extensions", "refuse_idle_keys", "stitched_with"]

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
        if dataset.part_of is not None:
            raise ValueError(f"datasets.{dataset.part_of}.split: data have no generator-level content.")
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


def divided(datasets: Mapping[str, Any], stitched: Mapping[str, str]) -> dict[str, Any]:
    """A card's datasets, unchecked, with those that are split or stitched in their parts.

    Args:
        datasets: of the card.
        stitched: sample → generator-level variable.

    Raises:
        ValueError: a part that has the name of a dataset, or a split beside a process.

    >>> list(divided({"tt": {"split": ["tt_b", "tt_l"]}}, {}))
    ['tt_tt_b', 'tt_tt_l']
    >>> incl, bin = {"process": "W"}, {"process": "W", "generator_range": {"ht": [100, None]}}
    >>> list(divided({"incl": incl, "bin": bin}, {"W": "ht"}))
    ['incl_ht_to_100', 'incl_ht_from_100', 'bin_ht_from_100']
    """
    found: dict[str, Any] = {}
    for name, entry in datasets.items():
        parts = {name: entry}
        if isinstance(entry, Mapping):
            sample = str(entry.get("sample") or entry.get("process"))
            if isinstance(entry.get("split"), list | tuple):
                parts = _split(name, entry)
            elif sample in stitched:
                ends = _ends(datasets, sample, stitched[sample])
                parts = _in_ranges(name, entry, stitched[sample], ends)
        for part in parts:
            if part in found or (part != name and part in datasets):
                raise ValueError(
                    f"datasets.{name}: there is a dataset {part} already, the name of one of its parts."
                )
        found |= parts
    return found


def _split(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """A dataset in a part for each process."""
    if "process" in entry:
        raise ValueError(f"datasets.{name}: expected a process or split, received both.")
    rest = {key: value for key, value in entry.items() if key != "split"}
    return {f"{name}_{process}": {**rest, "process": process, "part_of": name} for process in entry["split"]}


def _ends(datasets: Mapping[str, Any], sample: str, variable: str) -> list[float]:
    """All ends of the ranges of a variable in the datasets of a sample, rising."""
    found = set[float]()
    for name, entry in datasets.items():
        if isinstance(entry, Mapping) and sample == str(entry.get("sample") or entry.get("process")):
            found |= {float(end) for end in _range(name, entry, variable) if end is not None}
    if not found:
        raise ValueError(
            f"stitched: no dataset of sample {sample!r} declares a generator_range of {variable}."
        )
    return sorted(found)


def _range(name: str, entry: Mapping[str, Any], variable: str) -> tuple[float | None, float | None]:
    """Range of a variable that a dataset was generated in."""
    ranges = entry.get("generator_range")
    given = ranges.get(variable) if isinstance(ranges, Mapping) else None
    if given is None:
        return None, None
    if not isinstance(given, list | tuple) or len(given) != 2 or isinstance(given[0], str):
        where = f"datasets.{name}.generator_range.{variable}"
        raise ValueError(f"{where}: expected [lower, upper]. Received: {given!r}.")
    return given[0], given[1]


def _in_ranges(name: str, entry: Mapping[str, Any], variable: str, ends: list[float]) -> dict[str, Any]:
    """A dataset in a part for each range between neighbouring ends that it was generated in."""
    low, high = _range(name, entry, variable)
    edges = [None, *ends, None]
    found = {}
    for lower, upper in pairwise(edges):
        below = low is not None and (lower is None or lower < low)
        if below or (high is not None and (upper is None or upper > high)):
            continue
        text = f"to_{upper:g}" if lower is None and upper is not None else f"from_{lower:g}"
        if lower is not None and upper is not None:
            text = f"{lower:g}_{upper:g}"
        ranges = {**entry.get("generator_range", {}), variable: [lower, upper]}
        found[f"{name}_{variable}_{text}"] = {**entry, "generator_range": ranges, "part_of": name}
    return found


def stitched_with(
    datasets: Mapping[str, Dataset], name: str, variable: str, *, by_era: bool
) -> tuple[str, ...]:
    """Parts of datasets of one sample of one range with a given part, itself among them.

    Args:
        datasets: of the card.
        name: of the given part.
        variable: by which they are stitched.
        by_era: simulation is scaled to the luminosity of its era: those of other eras are other samples.
    """
    mine = datasets[name]
    return tuple(
        other
        for other, dataset in datasets.items()
        if _of_one_sample(dataset, mine, by_era=by_era)
        and dataset.generator_range.get(variable) == mine.generator_range.get(variable)
    )


def extensions(datasets: Mapping[str, Dataset], name: str, *, by_era: bool) -> tuple[str, ...]:
    """Datasets that are one sample with a given one, itself among them: their sums of weights are added.

    Args:
        datasets, name, by_era: as for `stitched_with`.
    """
    mine = datasets[name]
    if mine.sample is None or mine.generator_range:
        return (name,)
    return tuple(
        other
        for other, dataset in datasets.items()
        if _of_one_sample(dataset, mine, by_era=by_era) and not dataset.generator_range
    )


def _of_one_sample(one: Dataset, two: Dataset, *, by_era: bool) -> bool:
    same = (one.process, one.sample) == (two.process, two.sample)
    return same and (not by_era or one.era == two.era)


def _refuse_doubled(
    datasets: Mapping[str, Dataset], simulated: Sequence[str], *, by_era: bool = False
) -> None:
    """Raises if two datasets look like one sample, or one sample has two normalisations.

    Args:
        datasets, by_era: as for `stitched_with`.
        simulated: names of the simulated ones.

    Raises:
        ValueError: with both names; pydantic turns it into a card error.
    """
    for one, two in combinations(simulated, 2):
        first, second = datasets[one], datasets[two]
        if by_era and first.era != second.era:
            continue
        if two in extensions(datasets, one, by_era=by_era):
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


def check_samples(
    datasets: Mapping[str, Dataset],
    processes: Collection[str],
    simulated: Sequence[str],
    stitched: Mapping[str, str],
    *,
    by_era: bool,
) -> None:
    """Raises unless datasets of one sample fit together, and stitched samples are there.

    Args:
        datasets, processes: of the card.
        simulated: names of the simulated datasets.
        stitched: sample → the variable that it is stitched by.
        by_era: as for `stitched_with`.

    Raises:
        ValueError: with the key; pydantic turns it into a card error.
    """
    _refuse_stitched_splits(datasets, processes, stitched)
    refuse_overlaps(datasets, stitched, by_era=by_era)
    _refuse_doubled(datasets, simulated, by_era=by_era)


def _refuse_stitched_splits(
    datasets: Mapping[str, Dataset], processes: Collection[str], stitched: Mapping[str, str]
) -> None:
    for sample, variable in stitched.items():
        names = [name for name, entry in datasets.items() if sample in (entry.sample, entry.process)]
        check_known("stitched", "sample", sample, [sample] if names else processes)
        for name in names:
            if variable not in datasets[name].generator_range:
                raise ValueError(f"stitched.{sample}: datasets.{name} cannot be split as well.")


def _look_alike(one: Dataset, two: Dataset) -> bool:
    """Whether nothing but their files tells two datasets apart."""
    same = all(getattr(one, key) == getattr(two, key) for key in ("process", *_SHARED))
    said = one.generator_range or two.generator_range or one.sample or two.sample
    return same and not said and (one.recipe is None or one.recipe == two.recipe)
