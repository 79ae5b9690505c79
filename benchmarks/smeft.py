"""VH(bb) in the SMEFT: what each discriminant reaches on equal events, and the numbers of arXiv:1902.05803.

    python -m benchmarks.smeft NTUPLES [--card analyses/vh_bb_smeft.yaml] [--work DIRECTORY]

NTUPLES holds one folder of ROOT files per dataset of the card. Prints yields, a reproduction table (AUC, Z_A
by the paper's definition and as an excess, with the background behind each), Z_A projections, and expected
95 % intervals on c̄_HW per channel and combined for counting, pT(V), the classifier, a classifier
parametrised in c̄, and the score of the linear term; then coverage by toys. Scores are out of fold; both
copies and all responses of an event share its fold.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray
from pydantic import TypeAdapter
from rich.console import Console
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from znought.facility.runner import process_fileset
from znought.identity import event_identity
from znought.models.evaluation import roc_curve
from znought.models.folds import assign_folds
from znought.models.network import LossConfig, NetworkConfig
from znought.models.training import TrainingConfig, TrainingData, train_fold
from znought.processors.normalisation import normalise
from znought.processors.regions import regions_from_card
from znought.processors.vh_bb import VHBBProcessor, smeft_columns
from znought.processors.vh_bb_features import FEATURES
from znought.processors.vh_bb_selection import VHBBSelection
from znought.stats.smeft import SignalDefinition
from znought.stats.smeft_analysis import (
    ScoredChannel,
    SmeftConfig,
    likelihood_model,
    limits,
    projections,
    significance,
    study_coverage,
)
from znought.stats.smeft_channel import ChannelEvents, MorphingConfig, hypothesis
from znought.stats.smeft_likelihood import Systematics

Floats = NDArray[np.float64]
CONSOLE = Console(width=220, highlight=False, markup=False)
N_FOLDS = 5
VALUES = (0.03, 0.01, 0.001)
TALK_VALUES = (0.03, 0.001)
LossKind = Literal["cross_entropy", "asimov"]
CONFIG = SmeftConfig(values=VALUES)
PARAMETER_VALUES = (-0.03, -0.01, -0.003, 0.003, 0.01, 0.03)
TREES = {
    "max_iter": 100,
    "learning_rate": 0.06,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 100,
    "random_state": 1,
}


@dataclass(frozen=True)
class Sample:
    """Events of one channel in one region."""

    events: ChannelEvents
    features: Floats
    pt_v: Floats
    fold: NDArray[np.int8]


def processed(
    card: Mapping[str, Any], ntuples: Path, channel: str, work: Path
) -> dict[str, dict[str, Floats]]:
    """Columns of every dataset, with `weight` normalised to the card's luminosity."""
    files = {name: sorted(str(p) for p in (ntuples / name).glob("*.root")) for name in card["datasets"]}
    fileset = {
        name: {"files": paths, "metadata": {"is_data": False}} for name, paths in files.items() if paths
    }
    selection = TypeAdapter(VHBBSelection).validate_python(card["selection"])
    result = process_fileset(None, fileset, VHBBProcessor(channel, selection, str(work / channel)))
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


def sample(
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


def out_of_fold(data: Sample, fit: Callable[[NDArray[np.bool_]], Callable[[Floats], Floats]]) -> Floats:
    """Scores of all events from models that were fitted without their fold."""
    scores = np.zeros(len(data.events))
    for fold in range(N_FOLDS):
        held = data.fold == fold
        scores[held] = fit(~held)(data.features[held])
    return scores


def classifier(data: Sample, value: float, *, with_backgrounds: bool = True) -> Floats:
    """Probability of c̄_HW = value against the standard model, trees with cross-entropy."""
    rows = hypothesis(data.events, (value, 0.0), with_backgrounds=with_backgrounds)

    def fit(train: NDArray[np.bool_]) -> Callable[[Floats], Floats]:
        mine = train[rows.row]
        y, w = rows.is_signal[mine], rows.weight[mine]
        balance = np.where(y, 1.0 / w[y].sum(), 1.0 / w[~y].sum()) * len(w) / 2.0
        model = HistGradientBoostingClassifier(**TREES).fit(data.features[rows.row[mine]], y, w * balance)
        return lambda x: np.asarray(model.predict_proba(x)[:, 1])

    return out_of_fold(data, fit)


def parametrised(data: Sample, value: float) -> Floats:
    """One classifier with c̄ among its inputs, evaluated at `value`."""
    hypotheses = [(c, hypothesis(data.events, (c, 0.0))) for c in PARAMETER_VALUES]

    def fit(train: NDArray[np.bool_]) -> Callable[[Floats], Floats]:
        xs, ys, ws = [], [], []
        for c, rows in hypotheses:
            mine = train[rows.row]
            y, w = rows.is_signal[mine], rows.weight[mine]
            x = data.features[rows.row[mine]]
            xs.append(np.column_stack([x, np.full(len(x), c)]))
            ys.append(y)
            ws.append(w * np.where(y, 1.0 / w[y].sum(), 1.0 / w[~y].sum()) * len(w) / 2.0)
        model = HistGradientBoostingClassifier(**TREES)
        model.fit(np.concatenate(xs), np.concatenate(ys), np.concatenate(ws))
        return lambda x: np.asarray(model.predict_proba(np.column_stack([x, np.full(len(x), value)]))[:, 1])

    return out_of_fold(data, fit)


def linear_score(data: Sample) -> Floats:
    """Optimal observable: the expected linear coefficient given the inputs, d ln p/dc̄_HW at zero."""
    target = data.events.polynomial[:, 1]
    scale = target.std()

    def fit(train: NDArray[np.bool_]) -> Callable[[Floats], Floats]:
        model = HistGradientBoostingRegressor(**TREES)
        model.fit(data.features[train], target[train] / scale, data.events.weight[train])
        return lambda x: np.asarray(model.predict(x) * scale)

    return out_of_fold(data, fit)


def auc(data: Sample, scores: Floats, value: float, *, with_backgrounds: bool) -> float:
    """Area under the curve for c̄_HW = value against the standard model."""
    rows = hypothesis(data.events, (value, 0.0), with_backgrounds=with_backgrounds)
    return roc_curve(scores[rows.row], rows.is_signal, rows.weight).auc


def network(data: Sample, value: float, *, kind: LossKind) -> Floats:
    """Output of the network of arXiv:1902.05803, one hidden layer as wide as the inputs, VH alone."""
    rows = hypothesis(data.events, (value, 0.0), with_backgrounds=False)
    signal = rows.weight[rows.is_signal].sum()
    loss = LossConfig(
        kind=kind,
        signal_class="bsm",
        signal_events=float(signal),
        background_events=float(rows.weight.sum() - signal),
    )
    config = NetworkConfig(
        hidden_nodes=(data.features.shape[1],),
        activation="relu",
        batch_normalisation=False,
        input_noise=0.0,
        hidden_noise=0.0,
        l1=0.003 if kind == "asimov" else 0.0,
        learning_rate=0.001,
        loss=loss,
    )
    training = TrainingConfig(batch_size=4096, max_epochs=60, patience=10, monitor="loss")
    table = TrainingData(
        data.features[rows.row].astype(np.float32),
        rows.is_signal.astype(np.int64),
        rows.weight,
        data.fold[rows.row],
        data.events.identity[rows.row],
    )
    scores = np.zeros(len(data.events))
    for fold in range(N_FOLDS):
        names = tuple(f"x{i}" for i in range(data.features.shape[1]))
        trained = train_fold(table, fold, config, training, classes=("sm", "bsm"), feature_names=names)
        session = onnxruntime.InferenceSession(trained.onnx_model)
        held = data.fold == fold
        scaled = trained.scaler.transform(data.features[held].astype(np.float32))
        scores[held] = session.run(None, {session.get_inputs()[0].name: scaled})[0][:, 1]
    return scores


def show_yields(data: Sample, lumi_ifb: float) -> None:
    """Cross sections after the selection, fb, for a few c̄_HW."""
    points = (0.0, *sorted(VALUES))
    for process in np.unique(data.events.process):
        mine = data.events.process == process
        values = [data.events.weight_at((c, 0.0))[mine] for c in points]
        n_events = len(np.unique(data.events.identity[mine]))
        cells = [f"{w.sum() / lumi_ifb:8.4g} ({w.sum() ** 2 / (w**2).sum():.0f})" for w in values]
        CONSOLE.print(
            f"  {process:16s} {n_events:6d} events; fb (effective rows) at {points}: " + ", ".join(cells)
        )


def show_reproduction(data: Sample, outputs: Mapping[str, tuple[dict[float, Floats], bool]]) -> None:
    """AUC and Z_A of both definitions, without and with a cut on the output."""
    for name, (scores, with_backgrounds) in outputs.items():
        channel = ScoredChannel(data.events, scores, {})
        for value in scores:
            area = auc(data, scores[value], value, with_backgrounds=with_backgrounds)
            cells = []
            for definition in get_args(SignalDefinition):
                found = significance(
                    channel, value, CONFIG, signal_definition=definition, with_backgrounds=with_backgrounds
                )
                cells.append(
                    f"{definition}: {found.inclusive_z:.2f} (b {found.inclusive_background:.0f}) -> "
                    f"{found.z:.2f} (b {found.background:.1f}, {found.background_effective_entries:.0f} eff.)"
                )
            CONSOLE.print(f"  {name:20s} c {value:5g}  AUC {area:.3f}  " + "  ".join(cells))


def show_limits(channels: list[ScoredChannel], systematics: Systematics, lumi_ifb: float) -> None:
    """Expected intervals, and coverage of the combined ones."""
    names = ("counting", *channels[0].discriminants)
    for found in limits(channels, systematics, CONFIG, lumi_ifb=lumi_ifb, discriminants=names):
        ends = " u ".join(f"[{low:+.5f}, {high:+.5f}]" for low, high in found.interval.segments)
        edge = " (edge of validity)" * found.interval.reaches_validity
        CONSOLE.print(
            f"  {found.discriminant:14s} {found.channel:9s} {found.order:9s} {found.method:10s} "
            f"{found.lumi_ifb:5.0f}/fb {ends}{edge}"
        )
    model = likelihood_model(channels, "linear_score", systematics, CONFIG)
    for one in study_coverage(model, CONFIG):
        low, high = one.interval68
        CONSOLE.print(
            f"  coverage at c = {one.truth}: {one.fraction:.3f} [{low:.3f}, {high:.3f}], {one.n_toys} toys"
        )


def scored(data: Sample) -> ScoredChannel:
    """Every discriminant of one channel, and the reproduction table on the way."""
    mixed = {value: classifier(data, value) for value in VALUES}
    outputs = {
        "trees, VH alone": ({v: classifier(data, v, with_backgrounds=False) for v in VALUES}, False),
        "trees, all": (mixed, True),
    }
    if data.events.name == "0L":
        for kind in get_args(LossKind):
            outputs[f"network, {kind}"] = ({v: network(data, v, kind=kind) for v in TALK_VALUES}, False)
    show_reproduction(data, outputs)
    discriminants = {
        "pt_v": data.pt_v,
        "classifier": mixed[0.03],
        "parametrised": parametrised(data, 0.003),
        "linear_score": linear_score(data),
    }
    return ScoredChannel(data.events, mixed, discriminants)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ntuples", type=Path)
    parser.add_argument("--card", type=Path, default=Path("analyses/vh_bb_smeft.yaml"))
    parser.add_argument("--work", type=Path, default=Path("output/benchmark_smeft"))
    parser.add_argument("--region", default="inclusive")
    options = parser.parse_args()
    card = yaml.safe_load(options.card.read_text(encoding="utf-8"))
    channels = []
    for name in card["channels"]:
        start = time.perf_counter()
        tables = processed(card, options.ntuples, name, options.work)
        data = sample(card, tables, name, options.region)
        CONSOLE.print(f"{name} {options.region}: {len(data.events)} rows")
        show_yields(data, card["lumi_ifb"])
        channels.append(scored(data))
        CONSOLE.print(f"{name}: {time.perf_counter() - start:.0f} s")
    found = [
        significance(one, value, CONFIG, signal_definition=definition)
        for one in channels
        for value in VALUES
        for definition in get_args(SignalDefinition)
    ]
    for line in projections(found, CONFIG, lumi_ifb=card["lumi_ifb"]):
        cells = " ".join(f"{z:.2f}" for z in line.z)
        CONSOLE.print(
            f"  Z_A {line.channel:9s} {line.value:5g} {line.signal_definition:6s} {line.scaling:12s} {cells}"
        )
    show_limits(channels, Systematics(**card["systematics"]), card["lumi_ifb"])


if __name__ == "__main__":
    main()
