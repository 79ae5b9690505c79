"""Sums over generated events, before anything is processed: all there, counted once, and not contradicted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import isclose
from typing import Any

from znought.errors import DataError
from znought.facility.ntuples.ledger import PlannedFile, Skipped
from znought.processors.dialects.sums import SumRow

__all__ = ["check_generated_sums", "refuse_partial_total"]

# A card's value may be rounded, but not be another one.
_RELATIVE = 1e-4


def check_generated_sums(
    files: Sequence[PlannedFile], skipped: Sequence[Skipped], fileset: Mapping[str, Mapping[str, Any]]
) -> None:
    """Refuses what cannot be normalised, or would be by a sum that is not that of the generated events.

    Args:
        files: every file that opened.
        skipped: files that did not, and may be left out.
        fileset: with `normalised: true` in the metadata of datasets whose scale follows from their sum of
            weights, and `generated_sumw` where the card gives it.

    Raises:
        DataError: a file has no sum and the card gives none, two files repeat each other's sums, or the card
            contradicts the files.
    """
    for dataset, entry in fileset.items():
        metadata = entry.get("metadata", {})
        mine = [file for file in files if file.dataset == dataset]
        given = metadata.get("generated_sumw")
        if metadata.get("is_data", False) or not mine:
            continue
        refuse_partial_total(dataset, mine, skipped, given=given)
        if given is not None:
            if "n_files" not in metadata:  # some were left out for a trial
                _check_given(dataset, mine, float(given))
            continue
        if metadata.get("normalised", False):
            _check_complete(dataset, mine)
        _refuse_repeated(dataset, mine)


def refuse_partial_total(
    dataset: str, files: Sequence[PlannedFile], skipped: Sequence[Skipped], *, given: float | None
) -> None:
    """Refuses to scale what is left of a dataset by a sum over all of it.

    Args:
        dataset: its name.
        files: its files that opened.
        skipped: files that were left out, of any dataset.
        given: the card's sum of weights, or None.

    Raises:
        DataError: a file was left out, and the sum is the card's or one that every file repeats.
    """
    lost = [skip for skip in skipped if skip.dataset == dataset]
    is_total = any(file.summary.sums is not None and file.summary.sums.is_total for file in files)
    if lost and (is_total or given is not None):
        whose = f"datasets.{dataset}.generated_sumw" if given is not None else "the sum that its files repeat"
        raise DataError(
            f"Dataset {dataset!r}: {lost[0].path} was left out ({lost[0].reason}), but {whose} is that of "
            "all files together: what is left cannot be normalised. Mend the file, or take it out of the "
            "card and give the sum of the others."
        )


def _check_complete(dataset: str, files: Sequence[PlannedFile]) -> None:
    """Refuse a dataset of which a file has no sum."""
    lacking = [file.summary.path for file in files if file.summary.sums is None]
    if lacking:
        message = f"Dataset {dataset!r}: a file lacks its sum of generated weights ({lacking[0]}"
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise DataError(
            f"{message}{more}), so nothing can be normalised: give datasets.{dataset}.generated_sumw, the "
            "signed "
            "sum over all generated events of all its files."
        )


def _refuse_repeated(dataset: str, files: Sequence[PlannedFile]) -> None:
    """Refuse two files that state the sum over the same generated events."""
    owners: dict[tuple[SumRow, ...], list[PlannedFile]] = {}
    for file in files:
        for key in _keys(file):
            owners.setdefault(key, []).append(file)
    for mine in owners.values():
        for one, two in combinations(mine, 2):
            if _are_same(one, two):
                raise DataError(_repeated(dataset, one, two, files))


def _keys(file: PlannedFile) -> set[tuple[SumRow, ...]]:
    """What two files must not share: each row that is not of equal weights, or all rows together."""
    rows = file.summary.sum_rows
    keys: set[tuple[SumRow, ...]] = {(row,) for row in rows if not row.is_of_equal_weights}
    return keys or ({tuple(sorted(rows))} if rows else set())


def _are_same(one: PlannedFile, two: PlannedFile) -> bool:
    """Whether two files that state equal sums state those of the same events.

    Sums of unequal weights never agree to the last digit by chance. Those of equal weights do where jobs make
    equally many events: then the luminosity blocks or jobs tell, or that a file holds all events it counts.
    """
    if any(not row.is_of_equal_weights for row in _shared(one, two)):
        return True
    if None not in (one.summary.counted_over, two.summary.counted_over):
        return one.summary.counted_over == two.summary.counted_over
    return any(
        file.summary.n_events < sum(row.n_events for row in file.summary.sum_rows) for file in (one, two)
    )


def _shared(one: PlannedFile, two: PlannedFile) -> set[SumRow]:
    return set(one.summary.sum_rows) & set(two.summary.sum_rows)


def _repeated(dataset: str, one: PlannedFile, two: PlannedFile, files: Sequence[PlannedFile]) -> str:
    sumw = sum(row.sumw for row in _shared(one, two))
    once, all_of_them = _distinct(files), _plain(files)
    return (
        f"Dataset {dataset!r}: {one.summary.path} and {two.summary.path} state the same sum of generated "
        "weights, "
        f"{sumw:.10g}, as parts of one skim do that carry all of its sums: it would count twice. Give "
        f"datasets.{dataset}.generated_sumw: {once:.10g} if they are of the same generated events, "
        f"{all_of_them:.10g} if not."
    )


def _plain(files: Sequence[PlannedFile]) -> float:
    return sum(row.sumw for file in files for row in file.summary.sum_rows)


def _distinct(files: Sequence[PlannedFile]) -> float:
    """The sum with rows that several files repeat counted once."""
    most: Counter[SumRow] = Counter()
    for file in files:
        most |= Counter(file.summary.sum_rows)
    return sum(row.sumw * n for row, n in most.items())


def _check_given(dataset: str, files: Sequence[PlannedFile], given: float) -> None:
    """Refuse a sum of the card that none of the files' can mean."""
    sums = [file.summary.sums for file in files]
    known = [found for found in sums if found is not None]
    if len(known) < len(sums):
        return
    if any(found.is_total for found in known):
        possible = {float(found.sumw) for found in known}
    else:
        possible = {sum(float(found.sumw) for found in known), _distinct(files)}
    if not any(isclose(given, value, rel_tol=_RELATIVE) for value in possible):
        listed = " or ".join(f"{value:.10g}" for value in sorted(possible))
        raise DataError(
            f"datasets.{dataset}.generated_sumw: the card says {given:.10g}, its {len(files)} files say "
            f"{listed}. "
            "Leave it out, or mend it."
        )
