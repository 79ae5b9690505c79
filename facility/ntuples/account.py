"""What a run read and what it left out, and the luminosity of data that is left of it."""

from collections.abc import Mapping
from typing import Any

from znought.errors import CardError, DataError
from znought.facility.cards.base import Card
from znought.facility.ntuples.certified import certified_entry
from znought.facility.ntuples.fileset import Fileset
from znought.facility.ntuples.partial import partial_entry, partial_remarks
from znought.facility.ntuples.runner import RunResult
from znought.facility.workspace import Workspace, read_json

__all__ = ["account", "data_lumi_ifb", "lumi_of_data", "remarks", "stand_ins"]


def account(card: Card, fileset: Fileset, found: RunResult) -> dict[str, Any]:
    """The closed books as `ledger.json` holds them.

    Simulation needs no correction for a file that was left out, for its sum of generated weights went with
    it. The luminosity of data shrinks by the share of their events that was lost.

    Raises:
        CardError: some datasets of data have a luminosity and others have none.
        DataError: data were lost and nothing says how many events they held, or `n_events` of data is not
            what their files hold.
    """
    datasets = {name: _entry(fileset, found, name) for name in fileset}
    return {
        "rounds": found.n_rounds,
        "data_lumi_ifb": _data_lumi_ifb(card, fileset, datasets),
        "datasets": datasets,
    }


def data_lumi_ifb(workspace: Workspace) -> float | None:
    """Luminosity of the data that were really read; None for an analysis without data."""
    lumi = read_json(workspace.ledger)["data_lumi_ifb"]
    return None if lumi is None else float(lumi)


def lumi_of_data(card: Card, workspace: Workspace) -> float:
    """Luminosity that data are compared at: theirs, or the card's where they have none of their own."""
    return data_lumi_ifb(workspace) or card.lumi_ifb


def remarks(ledger: Mapping[str, Any]) -> list[str]:
    """One sentence for every dataset that lost files, or of which a part was read; none if all was."""
    found = [*partial_remarks(ledger)]
    for name, entry in ledger["datasets"].items():
        lost = entry["files_lost"]
        if lost:
            listed = "; ".join(f"{file['path']} ({file['reason']})" for file in lost)
            found.append(
                f"{name}: {len(lost)} of {entry['files']} files left out, {listed}: {_consequence(entry)}."
            )
    return found


def stand_ins(ledger: Mapping[str, Any]) -> list[str]:
    """One sentence for every input that something stands in for, with the datasets that it is of."""
    owners: dict[tuple[str, str], list[str]] = {}
    for name, entry in ledger["datasets"].items():
        for item in entry["substitutes"].items():
            owners.setdefault(item, []).append(name)
    return [f"{name}: {note} ({', '.join(of)})." for (name, note), of in owners.items()]


def _consequence(entry: Mapping[str, Any]) -> str:
    if "is_data" not in entry:
        return "what the remaining events weigh is for the processor to say"
    if not entry["is_data"]:
        return "its normalisation follows from the files that remain"
    lost = f"{entry['events_lost']:,} events, {entry['lost_fraction']:.2%} of the dataset"
    if entry["lumi_ifb"] is None:
        return f"{lost}; the luminosity of the data shrinks by its share"
    return f"{lost}; its luminosity is {entry['analysed_lumi_ifb']:.4g} of {entry['lumi_ifb']:.4g} fb⁻¹"


def _entry(fileset: Fileset, found: RunResult, name: str) -> dict[str, Any]:
    """The account of one dataset."""
    metadata = fileset[name]["metadata"]
    skipped = [skip for skip in found.skipped if skip.dataset == name]
    entry: dict[str, Any] = {
        "is_data": bool(metadata["is_data"]),
        "files": len(fileset[name]["files"]),
        "events": found.n_events(name),
        "files_lost": [
            {"path": skip.path, "events": skip.n_events, "reason": skip.reason} for skip in skipped
        ],
        "substitutes": _substitutes(found, name, metadata),
        "replicas": {
            path: sorted(found.read_from[path])
            for path in fileset[name]["files"]
            if found.read_from.get(path, frozenset({path})) != {path}
        },
    }
    if name in found.shares:
        entry["partial"] = partial_entry(fileset, name, found.shares[name])
    if entry["is_data"]:
        declared = None if name in found.shares else metadata.get("n_events")
        lost = _events_lost(name, entry, declared=declared)
        total = entry["events"] + lost
        fraction = lost / total if total else 0.0
        lumi = metadata.get("lumi_ifb")
        entry |= {"events_lost": lost, "lost_fraction": fraction, "lumi_ifb": lumi}
        if name in found.results and found.results[name].blocks.read:
            entry["certified"] = certified_entry(found.results[name].blocks)
        share = found.shares.get(name, 1.0)
        entry["analysed_lumi_ifb"] = None if lumi is None else lumi * (1.0 - fraction) * share
    return entry


def _substitutes(found: RunResult, name: str, metadata: Mapping[str, Any]) -> dict[str, str]:
    """Input → what stands in for it, by the format or by the card."""
    declared: dict[str, str] = {}
    for part in metadata.get("parts") or [name]:
        declared |= found.results[part].substitutes if part in found.results else {}
    if metadata.get("identity") == "file":
        declared["identity"] = "file and entry, as the card declares"
    return declared


def _events_lost(name: str, entry: Mapping[str, Any], *, declared: int | None) -> int:
    """Events of the files of data that were left out, counted or from the declared total."""
    counts = [file["events"] for file in entry["files_lost"]]
    known = sum(int(count) for count in counts if count is not None)
    if None in counts:
        if declared is None:
            path = next(file["path"] for file in entry["files_lost"] if file["events"] is None)
            message = f"datasets.{name}: {path} does not open, so nobody knows what share of the luminosity"
            raise DataError(f"{message} is lost with it; give n_events, the events of all files together.")
        if declared < entry["events"] + known:
            raise DataError(_mismatch(name, declared, entry["events"] + known))
        return declared - int(entry["events"])
    if declared is not None and declared != entry["events"] + known:
        raise DataError(_mismatch(name, declared, entry["events"] + known))
    return known


def _mismatch(name: str, declared: int, counted: int) -> str:
    return f"datasets.{name}: n_events says {declared:,} events, the files hold {counted:,}."


def _data_lumi_ifb(card: Card, fileset: Fileset, datasets: Mapping[str, Any]) -> float | None:
    """Luminosity of all data together, without what was lost."""
    data = {name: entry for name, entry in datasets.items() if entry["is_data"]}
    if not data:
        return None
    without = [name for name, entry in data.items() if entry["lumi_ifb"] is None]
    if not without:
        return sum(float(entry["analysed_lumi_ifb"]) for entry in data.values())
    if len(without) < len(data):
        message = f"datasets.{without[0]} has no lumi_ifb, but other datasets of data have one"
        raise CardError(f"{message}: give it to all of them or to none.")
    events = sum(entry["events"] for entry in data.values())
    total = sum((entry["events"] + entry["events_lost"]) / _share(entry) for entry in data.values())
    return card.lumi_ifb * (events / total if total else 1.0)


def _share(entry: Mapping[str, Any]) -> float:
    """Share of its events that was planned of a dataset."""
    return float(entry["partial"]["share"]) if "partial" in entry else 1.0
