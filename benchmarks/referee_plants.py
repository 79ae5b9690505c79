"""The mistakes that `benchmarks/referee.py` plants, each as a faulty program would have left it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context
from znought.facility.events.sample import read_sample
from znought.facility.events.store import IDENTITY, read_events, write_parquet
from znought.facility.fitting.placement import likelihood_bins
from znought.facility.fitting.templates import fit_settings, templates
from znought.facility.learning.scoring import scored_files
from znought.facility.referee.scores import NetworkScores
from znought.facility.results.binned import read_binning
from znought.facility.stages.score import score_tasks
from znought.facility.workspace import read_json, write_json
from znought.models.scaling import RobustScaler
from znought.models.scoring import Scorer
from znought.stats.goodness import goodness_of_fit
from znought.stats.referee.bins import events_behind_bins
from znought.stats.referee.identities import in_one_region
from znought.stats.referee.record import Check
from znought.stats.significance import asimov_z0
from znought.stats.systematics import SystematicConfig
from znought.stats.workspace import build_workspace
from znought.stats.yields import count_yields

Run = Context[StandardCard]
Changes = dict[str, Any] | None
TILTED = "Zjets"


@dataclass(frozen=True)
class Plant:
    """One mistake.

    Attributes:
        name, size: of the mistake.
        act: plants it in the output directory of a context; gives sections of the card that change.
        topic, checks: that it is for.
        judge: instead of the checks, where the mistake is in what they are given.
    """

    name: str
    size: str
    act: Callable[[Run], Changes]
    topic: str = ""
    checks: tuple[str, ...] = ()
    judge: Callable[[Run], Check] | None = None


def nothing(run: Run) -> Changes:
    """The clean run."""
    return None


def _rewritten(file: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    table = pq.read_table(file)
    for name, values in columns.items():
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
    pq.write_table(table, file)


def leaking_scalers(run: Run) -> Changes:
    """Scalers fitted with the events of the own fold, everything scored with them."""
    networks = NetworkScores.of(run.card, run.workspace)
    plan, path = networks.plan, run.workspace.models / "manifest.json"
    data, manifest = plan.training_data()[0], read_json(path)
    balanced = np.abs(data.weights) / np.bincount(data.class_index, np.abs(data.weights))[data.class_index]
    rows = data.fold >= 0
    undefined = plan.training.undefined
    scaler = RobustScaler.fit(data.features[rows], balanced[rows], plan.features, undefined)
    manifest["scalers"] = [scaler.to_json()] * len(manifest["scalers"])
    write_json(path, manifest)
    scorers = {"network": Scorer.load(run.workspace.models)}
    for task in score_tasks(plan, run.workspace):
        scored_files(task, scorers)
    return None


def _rescored(run: Run, datasets: tuple[str, ...], variation: str, shift: int | None) -> None:
    """Scores by the networks of the fold `shift` further on, or by all of them."""
    networks = NetworkScores.of(run.card, run.workspace)
    for dataset in datasets:
        for file in (run.workspace.columns / dataset / variation).glob("*.parquet"):
            table = pq.read_table(file)
            columns = {name: table[name].to_numpy() for name in (*IDENTITY, *networks.plan.features)}
            own = networks.own(read_table(columns))
            folds = np.full_like(own, -1) if shift is None else (own + shift) % networks.plan.training.n_folds
            scores = networks.scorer.score(networks.scorer.features(columns), folds)
            target = run.workspace.scores / dataset / variation / file.name
            found = {f"score_{name}": scores[:, i] for i, name in enumerate(run.card.classes)}
            fold = {} if shift in (None, 0) else {"fold": folds[:, 0]}
            _rewritten(target, found | (fold if variation != "nominal" else {}))


def read_table(columns: Mapping[str, NDArray[Any]]) -> Any:
    """Columns as a table of one dataset."""
    from znought.facility.events.store import EventTable

    return EventTable(columns, np.zeros(len(columns["event"]), np.int16), ("one",))


def mean_for_data(run: Run) -> Changes:
    """The mean of all networks for data."""
    _rescored(run, run.card.of_kind("data"), "nominal", None)
    return None


def seeing_networks(run: Run) -> Changes:
    """Nominal events scored by networks that were trained on them."""
    _rescored(run, run.card.of_kind("simulation"), "nominal", 1)
    return None


def rotated_networks(run: Run) -> Changes:
    """Networks filed under the next fold, everything scored with them: seen, and nobody can tell by names."""
    path = run.workspace.models / "manifest.json"
    manifest, n_folds = read_json(path), run.card.training.n_folds
    contents = {name: (run.workspace.models / name).read_bytes() for name in manifest["files"]}
    for repeat in range(run.card.training.n_repeats):
        head = "" if repeat == 0 else f"repeat_{repeat}_"
        for fold in range(n_folds):
            source, target = f"{head}fold_{fold}.onnx", f"{head}fold_{(fold + 1) % n_folds}.onnx"
            (run.workspace.models / target).write_bytes(contents[source])
            manifest["files"][target] = read_json(path)["files"][source]
        first, last = repeat * n_folds, (repeat + 1) * n_folds
        scalers = manifest["scalers"][first:last]
        manifest["scalers"][first:last] = [scalers[-1], *scalers[:-1]]
    write_json(path, manifest)
    scorers = {"network": Scorer.load(run.workspace.models)}
    for task in score_tasks(NetworkScores.of(run.card, run.workspace).plan, run.workspace):
        scored_files(task, scorers)
    return None


def other_fold(run: Run) -> Changes:
    """A variation of one dataset with another fold."""
    _rescored(run, ("ttbar",), "jes_up", 1)
    return None


def unsmoothed(run: Run) -> Changes:
    """The card and its likelihood with templates as the events have them."""
    card = run.card
    raw = {name: SystematicConfig(smoothing="none") for name in card.varied}
    settings = replace(card.likelihood.workspace, systematics=raw)
    changes = {"likelihood": card.likelihood.model_copy(update={"workspace": settings})}
    _export(run, card.model_copy(update=changes))
    return changes


def secretly_unsmoothed(run: Run) -> Changes:
    """The same likelihood under a card that asks for smooth templates."""
    unsmoothed(run)
    return None


def _export(run: Run, card: StandardCard) -> None:
    bins = likelihood_bins(card, read_binning(run.workspace.binning))
    found = templates(card, run.workspace, bins, with_data=False)
    spec = build_workspace(found.regions, fit_settings(card, run.workspace))
    write_json(run.workspace.fit / "workspace.json", spec)


def doubled(run: Run) -> Changes:
    """A dataset that is read twice, through the whole chain."""
    for folder in ("columns", "scores", "scores_boosting"):
        for file in list((run.workspace.directory / folder / "ggf" / "nominal").glob("*.parquet")):
            (file.with_name(f"again_{file.name}")).write_bytes(file.read_bytes())
    return None


def two_regions(run: Run) -> Check:
    """A control region that does not leave out the signal bins."""
    sample = read_sample(run.card, run.workspace, kind="simulation")
    edges = read_binning(run.workspace.binning)[run.card.discriminant].edges
    signal = sample.in_region(run.card.signal_region) & (sample.signal_score() >= edges[0])
    top = np.argmax(sample.outputs()[:, 1:], axis=1) == run.card.classes.index("top") - 1
    return in_one_region({"SR": signal, "CR_top": top})


def top_bin(n_events: int) -> Callable[[Run], Check]:
    """The last edge where so many generated background events lie above it."""

    def judge(run: Run) -> Check:
        sample = read_sample(run.card, run.workspace, kind="simulation")
        rows = sample.in_region(run.card.signal_region)
        score, identity = sample.signal_score()[rows], sample.columns.identity[rows]
        background = ~sample.is_signal[rows]
        highest: dict[int, float] = {}
        for who, value in zip(identity[background].tolist(), score[background].tolist(), strict=True):
            highest[who] = max(highest.get(who, 0.0), value)
        edge = sorted(highest.values())[-n_events]
        columns = (score, sample.weight[rows], sample.process[rows])
        found = count_yields(*columns, [0.2, 0.5, edge, 1.0], identity=identity)
        signal = found.total([str(run.card.signal)])[0]
        others = found.total([name for name in found.processes if name != run.card.signal])[0]
        z = asimov_z0(signal, np.maximum(others, 1e-9), 0.1 * np.maximum(others, 1e-9))
        return events_behind_bins(found, (str(run.card.signal),), z.tolist())

    return judge


def responses_as_events(run: Run) -> Changes:
    """Errors of one selection with every detector response as an event."""
    results = read_json(run.workspace.results)
    sample = read_sample(run.card, run.workspace, kind="simulation")
    rows = sample.in_region(run.card.signal_region)
    edges = results["edges"]["mva_greedy"]
    columns = (sample.signal_score()[rows], sample.weight[rows], sample.process[rows])
    found = count_yields(*columns, edges)
    for i, process in enumerate(found.processes):
        results["yields"]["mva_greedy"][process]["mc_stat_error"] = found.errors[i].tolist()
    write_json(run.workspace.results, results)
    return None


def tuned_is_quoted(run: Run) -> Changes:
    """The number of the very events that chose the edges."""
    results = read_json(run.workspace.results)
    results["z0"]["mva_greedy"]["held_out"] = results["z0"]["mva_greedy"]["tuned"]
    write_json(run.workspace.results, results)
    return None


def sloped_data(slope: float, lumi_ifb: float) -> Callable[[Run], Changes]:
    """Pseudo-data of the simulation, in which one background has a slope in the discriminant."""

    def act(run: Run) -> Changes:
        card, workspace = run.card, run.workspace
        datasets = card.of_kind("simulation")
        names = NetworkScores.of(card, workspace).plan.features
        columns = read_events(workspace.columns, datasets, ["gen_weight", *names])
        outputs = [f"score_{name}" for name in card.classes]
        scores = read_events(workspace.scores, datasets, ["event_weight", "fold", "part", *outputs])
        process = columns.per_dataset({name: card.datasets[name].process for name in datasets})
        tilt = 2.0 * scores[f"score_{card.class_of_signal}"] - 1.0
        mean = scores["event_weight"] * lumi_ifb / card.lumi_ifb
        mean = mean * np.where(process == TILTED, 1.0 + slope * tilt, 1.0)
        rows = np.repeat(np.arange(mean.size), np.random.default_rng(1).poisson(np.maximum(mean, 0.0)))
        number = {"event": np.arange(rows.size), "response": np.zeros(rows.size, np.int64)}
        for kind, table in (("columns", columns), ("scores", scores)):
            folder = workspace.directory / kind / "data" / "nominal"
            for file in folder.glob("*.parquet"):
                file.unlink()
            chosen = {name: values[rows] for name, values in table.columns.items()}
            for name in ("gen_weight", "event_weight"):
                if name in chosen:
                    chosen[name] = np.ones(rows.size)
            write_parquet(folder / "data.parquet", chosen | number)
        ledger = read_json(workspace.ledger)
        write_json(workspace.ledger, ledger | {"data_lumi_ifb": lumi_ifb})
        return None

    return act


def chi_square(run: Run) -> Check:
    """What a χ² of the fit says of the sloped data at full luminosity, signal bins included."""
    bins = likelihood_bins(run.card, read_binning(run.workspace.binning))
    found = templates(run.card, run.workspace, bins, with_data=True)
    one = goodness_of_fit(build_workspace(found.regions, fit_settings(run.card, run.workspace)))
    text = f"χ² = {one.value:.1f} for {one.n_dof} degrees of freedom, p = {one.p_value:.2g}"
    return Check(
        "χ² of the fit, for comparison", "", "pass" if one.p_value > 1e-3 else "fail", text, one.p_value, 1e-3
    )


def changed_spec(change: Callable[[dict[str, Any]], None]) -> Callable[[Run], Changes]:
    def act(run: Run) -> Changes:
        path = run.workspace.fit / "workspace.json"
        spec = read_json(path)
        for channel in spec["channels"]:
            for sample in channel["samples"]:
                change(sample)
        write_json(path, spec)
        return None

    return act


def without_systematic(name: str) -> Callable[[dict[str, Any]], None]:
    def change(sample: dict[str, Any]) -> None:
        sample["modifiers"] = [one for one in sample["modifiers"] if one["name"] != name]

    return change


def swapped_systematic(process: str, name: str) -> Callable[[dict[str, Any]], None]:
    def change(sample: dict[str, Any]) -> None:
        for one in sample["modifiers"]:
            if sample["name"] == process and one["name"] == name and one["type"] == "normsys":
                one["data"] = {"lo": one["data"]["hi"], "hi": one["data"]["lo"]}

    return change


def swapped_files(run: Run) -> Changes:
    """Up and down of one dataset exchanged where they are written."""
    for kind in ("columns", "scores"):
        folder = run.workspace.directory / kind / "ttbar"
        (folder / "jes_up").rename(folder / "other")
        (folder / "jes_down").rename(folder / "jes_up")
        (folder / "other").rename(folder / "jes_down")
    _export(run, run.card)
    return None


def required(run: Run) -> Changes:
    """A card that requires what it does not have."""
    return {"likelihood": run.card.likelihood.model_copy(update={"required": {"top": ("shower",)}})}


def scaled(factor: float, key: str) -> Callable[[Run], Changes]:
    """A scale, or a sum of weights, that is wrong by a factor in one dataset."""

    def act(run: Run) -> Changes:
        entries = read_json(run.workspace.normalisation)
        entries["ttbar"][key] *= factor
        if key == "sumw":
            entries["ttbar"]["scale"] /= factor
        write_json(run.workspace.normalisation, entries)
        return None

    return act


def yield_off(factor: float) -> Callable[[Run], Changes]:
    """A luminosity that is wrong everywhere: only data can tell."""

    def act(run: Run) -> Changes:
        path = run.workspace.validation
        found = json.loads(path.read_text())
        n_data, _ = found["events"]
        expected = factor * n_data
        found["events"][1], found["ratio"][1] = expected, found["ratio"][1] * n_data / expected
        write_json(path, found)
        return None

    return act
