"""Events of talk B for the benchmarks: ntuples of the card's datasets, normalised, by channel and region."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray

from znought.analyses.vh_bb.analysis import ANALYSIS
from znought.analyses.vh_bb.columns import smeft_columns
from znought.analyses.vh_bb.features import FEATURES
from znought.analyses.vh_bb.selection import VHBBSelection
from znought.facility.ntuples.runner import process_fileset
from znought.identity import event_identity
from znought.models.folds import assign_folds
from znought.models.observables import ObservableData
from znought.processors.evaluated import Request
from znought.processors.normalisation import normalise
from znought.processors.processor import AnalysisProcessor
from znought.processors.regions import regions_from_card
from znought.stats.eft.channel import ChannelEvents, MorphingConfig

Floats = NDArray[np.float64]
N_FOLDS = 5


@dataclass(frozen=True)
class Sample:
    """Events of one channel in one region."""

    events: ChannelEvents
    features: Floats
    pt_v: Floats
    fold: NDArray[np.int8]

    @property
    def observable(self) -> ObservableData:
        """What observables are learned from."""
        return ObservableData(self.features, self.events.weight, self.events.is_vh, self.fold)

    def ratio(self, value: float) -> Floats:
        """w(c)/w(0) of each event for c̄_HW = value."""
        weight = self.events.weight
        return np.asarray(self.events.weight_at((value, 0.0)) / np.where(weight > 0.0, weight, 1.0))


def _processed(
    card: Mapping[str, Any], ntuples: Path, channel: str, work: Path
) -> dict[str, dict[str, Floats]]:
    """Columns of every dataset, with `weight` normalised to the card's luminosity."""
    files = {name: sorted(str(p) for p in (ntuples / name).glob("*.root")) for name in card["datasets"]}
    fileset = {
        name: {"files": paths, "metadata": {"is_data": False}} for name, paths in files.items() if paths
    }
    request = Request(VHBBSelection.model_validate(card["selection"]), channels=(channel,))
    result = process_fileset(None, fileset, AnalysisProcessor(ANALYSIS.for_workers, request, str(work)))
    tables = {}
    for name, entry in result.results.items():
        given = card["datasets"][name]
        sums = result.sums[name]
        assert sums is not None
        scale = normalise(
            sums,
            dataset=name,
            lumi_ifb=card["lumi_ifb"],
            xsec_pb=given["xsec_pb"] * given.get("branching_ratio", 1.0),
            k_factor=given.get("k_factor", 1.0),
            filter_efficiency=given.get("filter_efficiency"),
        ).scale
        parts = [pq.read_table(file.path) for file in entry.columns]
        names = parts[0].column_names
        table = {column: np.concatenate([part[column].to_numpy() for part in parts]) for column in names}
        tables[name] = {**table, "weight": table["gen_weight"] * scale}
    return tables


def _sample(
    card: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]], channel: str, region: str
) -> Sample:
    """One channel's events inside a region of the card."""
    cuts = regions_from_card(card["regions"])[region]
    kept: dict[str, list[Any]] = {}
    for name, table in tables.items():
        inside = cuts.mask(table)
        run, lumi, event = (table[key][inside] for key in ("run", "luminosityBlock", "event"))
        new = {
            "process": np.full(inside.sum(), card["datasets"][name]["process"]),
            "weight": table["weight"][inside],
            "identity": event_identity(run, lumi, event, salt=name),
            "smeft": np.column_stack([table[key][inside] for key in smeft_columns()]),
            "features": np.column_stack([table[key][inside] for key in FEATURES[channel]]),
            "pt_v": table["pt_v"][inside],
            "fold": assign_folds(run, lumi, event, n_folds=N_FOLDS, salt=name),
        }
        for key, values in new.items():
            kept.setdefault(key, []).append(values)
    joined = {key: np.concatenate(values) for key, values in kept.items()}
    config = MorphingConfig(
        "vh",
        coefficients=tuple(card["morphing"]["coefficients"]),
        validity=tuple(tuple(pair) for pair in card["morphing"]["validity"]),
    )
    events = ChannelEvents.of(
        channel,
        joined["process"],
        joined["weight"],
        joined["identity"],
        joined["smeft"],
        pt_v=joined["pt_v"],
        config=config,
    )
    return Sample(events, joined["features"], joined["pt_v"].astype(np.float64), joined["fold"])


def read(card_path: Path, ntuples: Path, channel: str, region: str, *, work: Path) -> Sample:
    """Events of one channel inside a region, from the ntuples of every dataset of the card."""
    card = yaml.safe_load(card_path.read_text(encoding="utf-8"))
    return _sample(card, _processed(card, ntuples, channel, work), channel, region)
