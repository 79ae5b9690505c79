"""What a run read and what it left out, and the luminosity of data that is left of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from znought.errors import CardError, DataError
from znought.facility.cards.base import Card
from znought.facility.ntuples.certified import certified_events
from znought.facility.ntuples.fileset import Fileset
from znought.facility.ntuples.partial import part_of_input, partial_remarks
from znought.facility.ntuples.runner import RunResult
from znought.facility.results.ledger import DatasetAccount, Ledger, LostFile, PartOfInput, read_ledger
from znought.facility.workspace import Workspace

if TYPE_CHECKING:
    from znought.processors.quality.judged import Quality

__all__ = ["account", "data_lumi_ifb", "lost_files", "lumi_of_data", "remarks", "stand_ins"]


def account(
    card: Card, fileset: Fileset, found: RunResult, quality: "Mapping[str, Quality] | None" = None
) -> Ledger:
    """The closed books.

    Simulation needs no correction for a file that was left out, for its sum of generated weights went with
    it. The luminosity of data shrinks by the share of their events that was lost.

    Args:
        card, fileset: what was to be read.
        found: what was.
        quality: dataset → what its events had to be to count.

    Raises:
        CardError: some datasets of data have a luminosity and others have none.
        DataError: data were lost and nothing says how many events they held, or `n_events` of data is not
            what their files hold.
    """
    datasets = {name: _entry(fileset, found, name, (quality or {}).get(name)) for name in fileset}
    return Ledger(rounds=found.n_rounds, data_lumi_ifb=_data_lumi_ifb(card, datasets), datasets=datasets)


def data_lumi_ifb(workspace: Workspace) -> float | None:
    """Luminosity of the data that were really read; None for an analysis without data."""
    return read_ledger(workspace.ledger).data_lumi_ifb


def lumi_of_data(card: Card, workspace: Workspace) -> float:
    """Luminosity that data are compared at: theirs, or the card's where they have none of their own."""
    return data_lumi_ifb(workspace) or card.lumi_ifb


def remarks(ledger: Ledger) -> list[str]:
    """One sentence for every dataset that lost files, or of which a part was read; none if all was."""
    found = [*partial_remarks(ledger)]
    for name, entry in ledger.datasets.items():
        lost = entry.files_lost
        if lost:
            listed = "; ".join(f"{file.path} ({file.reason})" for file in lost)
            found.append(
                f"{name}: {len(lost)} of {entry.files} files left out, {listed}: {_consequence(entry)}."
            )
    return found


def stand_ins(ledger: Ledger) -> list[str]:
    """One sentence for every input that something stands in for, with the datasets that it is of."""
    owners: dict[tuple[str, str], list[str]] = {}
    for name, entry in ledger.datasets.items():
        for item in entry.substitutes.items():
            owners.setdefault(item, []).append(name)
    return [f"{name}: {note} ({', '.join(of)})." for (name, note), of in owners.items()]


def _consequence(entry: DatasetAccount) -> str:
    if entry.is_data is None:
        return "what the remaining events weigh is for the processor to say"
    if not entry.is_data:
        return "its normalisation follows from the files that remain"
    lost = f"{entry.events_lost:,} events, {entry.lost_fraction:.2%} of the dataset"
    if entry.lumi_ifb is None:
        return f"{lost}; the luminosity of the data shrinks by its share"
    return f"{lost}; its luminosity is {entry.analysed_lumi_ifb:.4g} of {entry.lumi_ifb:.4g} fb⁻¹"


def _entry(fileset: Fileset, found: RunResult, name: str, quality: "Quality | None") -> DatasetAccount:
    """The account of one dataset."""
    metadata, share = fileset[name]["metadata"], found.shares.get(name, 1.0)
    is_data = bool(metadata["is_data"])
    entry = DatasetAccount(
        is_data=is_data,
        files=len(fileset[name]["files"]),
        events=found.n_events(name),
        files_lost=lost_files(found, name),
        substitutes=_substitutes(found, name, metadata),
        replicas={
            path: tuple(sorted(found.read_from[path]))
            for path in fileset[name]["files"]
            if found.read_from.get(path, frozenset({path})) != {path}
        },
    )
    if name in found.shares:
        entry = entry.model_copy(update={"partial": part_of_input(fileset, name, share)})
    if not is_data:
        return entry
    declared = None if name in found.shares else metadata.get("n_events")
    lost, lumi = _events_lost(name, entry, declared=declared), metadata.get("lumi_ifb")
    fraction = lost / (entry.events + lost) if entry.events + lost else 0.0
    books: dict[str, Any] = {"events_lost": lost, "lost_fraction": fraction, "lumi_ifb": lumi}
    if name in found.results and found.results[name].blocks.read:
        books["certified"] = certified_events(found.results[name].blocks, quality)
    books["analysed_lumi_ifb"] = None if lumi is None else lumi * (1.0 - fraction) * share
    return entry.model_copy(update=books)


def lost_files(found: RunResult, name: str) -> tuple[LostFile, ...]:
    """Files of a dataset that were left out."""
    return tuple(
        LostFile(path=skip.path, events=skip.n_events, reason=skip.reason)
        for skip in found.skipped
        if skip.dataset == name
    )


def _substitutes(found: RunResult, name: str, metadata: Mapping[str, Any]) -> dict[str, str]:
    """Input → what stands in for it, by the format or by the card."""
    declared: dict[str, str] = {}
    for part in metadata.get("parts") or [name]:
        declared |= found.results[part].substitutes if part in found.results else {}
    if metadata.get("identity") == "file":
        declared["identity"] = "file and entry, as the card declares"
    return declared


def _events_lost(name: str, entry: DatasetAccount, *, declared: int | None) -> int:
    """Events of the files of data that were left out, counted or from the declared total."""
    counts = [file.events for file in entry.files_lost]
    known = sum(count for count in counts if count is not None)
    if None in counts:
        if declared is None:
            path = next(file.path for file in entry.files_lost if file.events is None)
            message = f"datasets.{name}: {path} does not open, so nobody knows what share of the luminosity"
            raise DataError(f"{message} is lost with it; give n_events, the events of all files together.")
        if declared < entry.events + known:
            raise DataError(_mismatch(name, declared, entry.events + known))
        return declared - entry.events
    if declared is not None and declared != entry.events + known:
        raise DataError(_mismatch(name, declared, entry.events + known))
    return known


def _mismatch(name: str, declared: int, counted: int) -> str:
    return f"datasets.{name}: n_events says {declared:,} events, the files hold {counted:,}."


def _data_lumi_ifb(card: Card, datasets: Mapping[str, DatasetAccount]) -> float | None:
    """Luminosity of all data together, without what was lost."""
    data = {name: entry for name, entry in datasets.items() if entry.is_data}
    if not data:
        return None
    known = [entry.analysed_lumi_ifb for entry in data.values() if entry.analysed_lumi_ifb is not None]
    if len(known) == len(data):
        return sum(known)
    if known:
        without = next(name for name, entry in data.items() if entry.lumi_ifb is None)
        message = f"datasets.{without} has no lumi_ifb, but other datasets of data have one"
        raise CardError(f"{message}: give it to all of them or to none.")
    events = sum(entry.events for entry in data.values())
    total = sum((entry.events + entry.events_lost) / _share(entry.partial) for entry in data.values())
    return card.lumi_ifb * (events / total if total else 1.0)


def _share(partial: PartOfInput | None) -> float:
    """Share of its events that was planned of a dataset."""
    return 1.0 if partial is None else partial.share
