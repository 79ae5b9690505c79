"""What is wrong with a fileset: files that are absent, there twice, empty, or of another dataset."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from znought.errors import DataError, unknown_name
from znought.facility.filesets.counting import Looked
from znought.facility.filesets.written import Counts, ListedFile

__all__ = ["missing_from", "mistakes", "problem", "repeated", "strangers"]

Files = Mapping[str, Sequence[tuple[ListedFile, Counts]]]
_SHOWN = 6


def mistakes(looks: Sequence[Looked]) -> Iterator[str]:
    """Everything that is wrong with the files of a fileset, one line each.

    Args:
        looks: at every one of them, as they stand in it.
    """
    files: dict[str, list[tuple[ListedFile, Counts]]] = {}
    for one in looks:
        if isinstance(one.found, DataError):
            yield problem(one)
        else:
            files.setdefault(one.dataset, []).append((one.listed, one.found))
            yield from _single(one.dataset, one.listed, one.found)
    yield from repeated(files)
    yield from strangers(files)


def problem(one: Looked) -> str:
    """One line with dataset, file and why nothing is known of it."""
    text, file = str(one.found), one.listed
    # What is wrong is said of the last address.
    if len(file.addresses) > 1:
        text = f"{file.path}: none of {len(file.addresses)} addresses can be read; the last: {text}"
    return f"{one.dataset}: {text}"


def _single(dataset: str, file: ListedFile, found: Counts) -> Iterator[str]:
    """What is wrong with one file on its own."""
    if not found.n_events:
        yield f"{dataset}: {file.path} holds no event."
    before = file.counts
    if before is None:
        return
    if before.uuid != found.uuid:
        yield f"{dataset}: {file.path} is another file than the one that was counted: refresh the fileset."
    elif (before.n_events, before.sumw) != (found.n_events, found.sumw):
        counts = f"{before.n_events:,} events and Σw {before.sumw}, now {found.n_events:,} and {found.sumw}"
        yield f"{dataset}: {file.path} had {counts}: refresh the fileset."


def repeated(files: Files) -> Iterator[str]:
    """Files that are one and the same under two names."""
    first: dict[str, str] = {}
    for dataset, members in files.items():
        for file, counts in members:
            here = f"{file.path} ({dataset})"
            if (there := first.setdefault(counts.uuid, here)) != here:
                yield f"{dataset}: {file.path} is the same file as {there}; its events would count twice."


def strangers(files: Files) -> Iterator[str]:
    """Files that look like those of another dataset: of another kind or format, or with other branches."""
    for dataset, members in files.items():
        if not members:
            continue
        looks = [(counts.is_data, counts.dialect, counts.lacks) for _, counts in members]
        usual, n_usual = Counter(looks).most_common(1)[0]
        for (file, _), look in zip(members, looks, strict=True):
            if look != usual:
                yield f"{dataset}: {file.path} {_differs(look, usual)} {n_usual} other files of the dataset."


def _differs(look: tuple[bool, str, tuple[str, ...]], usual: tuple[bool, str, tuple[str, ...]]) -> str:
    if look[0] != usual[0]:
        return f"is {'recorded data' if look[0] else 'simulation'}, unlike"
    if look[1] != usual[1]:
        return f"is {look[1]}, not {usual[1]} like"
    lacks, has = sorted(set(look[2]) - set(usual[2])), sorted(set(usual[2]) - set(look[2]))
    said = [f"lacks {_some(lacks)}"] if lacks else []
    said += [f"has {_some(has)}"] if has else []
    return f"{' and '.join(said)}, unlike"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def missing_from(wanted: Sequence[str], found: Mapping[str, object]) -> Iterator[str]:
    """Datasets of a card that a fileset does not hold, one line each."""
    for name in wanted:
        if name not in found:
            yield unknown_name("dataset", name, found)
