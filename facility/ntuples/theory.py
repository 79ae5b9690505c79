"""What each member of a set of generator weights is normalised by: its own sum over all generated events."""

from collections.abc import Mapping
from math import isclose

from znought.errors import DataError
from znought.facility.ntuples.books import Scales
from znought.facility.ntuples.runner import RunResult
from znought.processors.dialects.sums import GeneratedSums
from znought.processors.theory import ITSELF
from znought.processors.weight_branches import WeightBranch

__all__ = ["theory_scales"]

_SKIMMED = 1e-3
"""Relative difference of the events' sum from that of all generated ones above which files are a skim."""


def theory_scales(
    branches: Mapping[str, WeightBranch],
    found: RunResult,
    scales: Scales,
    generated: Mapping[str, GeneratedSums | None],
) -> dict[str, dict[str, float]]:
    """Dataset → member → Σw / Σw_member, by which a member changes no rate.

    Args:
        branches: sets of weights whose rate is not kept.
        found: what was processed.
        scales: of every dataset.
        generated: dataset → sums over its generated events, those under systematics among them.

    Raises:
        DataError: files without all of their generated events, or a sum that is not positive.
    """
    result: dict[str, dict[str, float]] = {}
    for dataset, entry in found.results.items():
        every = {title: one for title, one in branches.items() if dataset in one.datasets}
        copied = {title: one for title, one in every.items() if one.copies}
        if copied:
            result[dataset] = _of_copies(dataset, copied, generated.get(dataset))
        mine = {title: one for title, one in every.items() if not one.copies}
        scale, sums = scales[dataset], {name: float(total) for name, total in entry.theory.items()}
        if scale is None or not mine or not sums:
            continue
        own, is_whole = sums[ITSELF], found.shares.get(dataset, 1.0) == 1.0
        if is_whole and not isclose(own, scale.sumw, rel_tol=_SKIMMED):
            raise DataError(
                f"datasets.{dataset}: its files hold events with a sum of weights of {own:g}, of "
                f"{scale.sumw:g} generated: a skim, in which the sums of the weights {', '.join(mine)} over "
                "all generated events are not known. Use files before the skim, or keep_rate: true."
            )
        names = [f"{title}_{member}" for title, one in mine.items() for member in one.names]
        for name in names:
            if not sums[name] > 0:
                raise DataError(f"datasets.{dataset}: theory weight {name} has a sum of {sums[name]:g}.")
        result[dataset] = result.get(dataset, {}) | {name: own / sums[name] for name in names}
    return result


def _of_copies(
    dataset: str, branches: Mapping[str, WeightBranch], sums: GeneratedSums | None
) -> dict[str, float]:
    """Member → Σw / Σw_member of sets that are copies of the generator's weight, whose sums the files keep.

    Raises:
        DataError: they do not, or a sum is not positive.
    """
    found = {}
    for title, one in branches.items():
        for name in one.names:
            total = None if sums is None else sums.varied.get(name)
            if sums is None or total is None or not float(total) > 0.0:
                kept = "no" if total is None else f"a sum of weights of {float(total):g} in its"
                raise DataError(
                    f"datasets.{dataset}: theory.{title}.copies: a file has {kept} histogram "
                    f"CutBookkeeper_<sample>_<run>_{name}; leave {name} out, or give keep_rate: true."
                )
            found[f"{title}_{name}"] = float(sums.sumw) / float(total)
    return found
