"""VH(bb) in the SMEFT: what each discriminant reaches on equal events, and the numbers of arXiv:1902.05803.

    python -m benchmarks.smeft NTUPLES [--card analyses/vh_bb_smeft.yaml] [--work DIRECTORY]

NTUPLES holds one folder of ROOT files per dataset of the card. Prints Markdown tables: yields; the
reproduction of the talk (AUC, Z_A by the paper's definition and as an excess, with the background behind
each); Z_A against the background that a cut leaves; linear models; expected 95 % intervals on c̄_HW;
coverage by χ²₁ and by toy-calibrated thresholds. Scores are out of fold; both copies and all responses of
an event share its fold. Figures go to the work directory.
"""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import numpy as np
import yaml
from scipy.optimize import brentq

from benchmarks import smeft_limits
from benchmarks.smeft_models import LINEAR_MODELS, TRAINING, LossKind, linear_model, network
from benchmarks.smeft_sample import Floats, Sample, read
from benchmarks.tables import CONSOLE, header, row
from znought.models.evaluation import roc_curve
from znought.models.network import NetworkConfig
from znought.models.observables import (
    TreesConfig,
    classifier_scores,
    linear_scores,
    ratio_scores,
    vh_probability,
)
from znought.models.parametrised import excess_density, parametrised_network_scores
from znought.stats.eft.channel import ScoredChannel, hypothesis
from znought.stats.eft.counting import CutScan, SignalDefinition, cut_scan
from znought.stats.eft.likelihood import Systematics
from znought.stats.eft.measurement import SmeftConfig, projections, significance
from znought.stats.significance import asimov_z0

VALUES = (0.03, 0.01, 0.001)
TALK = {0.03: (0.75, 31.5), 0.001: (0.52, 1.76)}
CONFIG = SmeftConfig(
    values=VALUES,
    truths=(-0.01, -0.003, 0.0, 0.003, 0.01),
    n_toys=600,
    calibration_toys=400,
    calibration_points=9,
)
PARAMETER_VALUES = (-0.03, -0.01, -0.003, 0.003, 0.01, 0.03)
TREES = TreesConfig()
NETWORK = NetworkConfig(
    hidden_nodes=(32, 32),
    batch_normalisation=False,
    input_noise=0.0,
    hidden_noise=0.0,
    learning_rate=0.003,
)
PARTS = ("talk", "limits", "coverage")
SYSTEMATICS = (0.1, 0.15, 0.2, 0.3)
LEFT = (100.0, 30.0, 10.0, 3.0, 1.0, 0.5, 0.2, 0.1)


def show_yields(data: Sample, lumi_ifb: float) -> None:
    """Cross sections after the selection, fb, for a few c̄_HW."""
    points = (0.0, *sorted(VALUES))
    header(
        f"{data.events.name}: fb after the selection (effective rows)",
        "process",
        "generated events",
        *(f"c̄ = {c:g}" for c in points),
    )
    for process in np.unique(data.events.process):
        mine = data.events.process == process
        values = [data.events.weight_at((c, 0.0))[mine] for c in points]
        cells = [f"{w.sum() / lumi_ifb:.4g} ({w.sum() ** 2 / (w**2).sum():.0f})" for w in values]
        row(process, len(np.unique(data.events.identity[mine])), *cells)


def auc(data: Sample, scores: Floats, value: float, *, with_backgrounds: bool) -> float:
    """Area under the curve for c̄_HW = value against the standard model."""
    rows = hypothesis(data.events, (value, 0.0), with_backgrounds=with_backgrounds)
    return roc_curve(scores[rows.row], rows.is_signal, rows.weight).auc


def show_significances(data: Sample, name: str, scores: Mapping[float, Floats], *, vh_alone: bool) -> None:
    """AUC and Z_A of both definitions, without and with a cut chosen on the other half of the events."""
    channel = ScoredChannel(data.events, scores, {})
    for value in scores:
        cells: list[object] = []
        for definition in get_args(SignalDefinition):
            found = significance(
                channel, value, CONFIG, signal_definition=definition, with_backgrounds=not vh_alone
            )
            cells += [
                f"{found.inclusive_z:.2f} (b {found.inclusive_background:.0f})",
                f"{found.z:.2f} (b {found.background:.1f}, {found.background_effective_entries:.0f})",
            ]
        area = auc(data, scores[value], value, with_backgrounds=not vh_alone)
        talk = " / ".join(f"{x:g}" for x in TALK[value]) if vh_alone and value in TALK else "–"
        row(data.events.name, name, f"{value:g}", f"{area:.3f}", talk, *cells)


def show_reproduction(samples: Mapping[str, Sample], outputs: Mapping[str, dict[float, Floats]]) -> None:
    """The talk's numbers beside ours, VH alone in 0L; trees with all backgrounds in every channel."""
    header(
        "Z_A at 80 fb⁻¹, 50 %: cut chosen on the other half, b ≥ 3 (b: events, effective entries)",
        *("channel", "model", "c̄_HW", "AUC", "talk AUC / Z"),
        *("paper, no cut", "paper, cut", "excess, no cut", "excess, cut"),
    )
    for name, scores in outputs.items():
        show_significances(samples["0L"], name, scores, vh_alone=True)
    for data in samples.values():
        scores = {v: classifier_scores(data.observable, data.ratio(v), TREES) for v in VALUES}
        show_significances(data, "trees, all backgrounds", scores, vh_alone=False)
    header(
        "The talk's definition with no network, yields of the talk (0L, 80 fb⁻¹, 50 %)",
        "c̄_HW",
        "paper",
        "excess",
    )
    for value, (s, b) in {
        0.001: (2.198 * 80, 2.03 * 80),
        0.01: (4.553 * 80, 2.03 * 80),
        0.03: (1120, 162.4),
    }.items():
        z = [float(asimov_z0(x, b, 0.5 * b, auxiliary="poisson")) for x in (s, s - b)]
        row(f"{value:g}", f"{z[0]:.2f}", f"{z[1]:.2f}")


def scan_of(data: Sample, scores: Floats, value: float, definition: SignalDefinition) -> CutScan:
    """Z_A against every cut, VH alone, down to hardly any background."""
    events = data.events
    vh = np.where(events.is_vh, events.weight_at((value, 0.0)), 0.0)
    vh_sm = np.where(events.is_vh, events.weight, 0.0)
    cuts = np.unique(scores[events.is_vh])
    return cut_scan(
        scores, vh, vh_sm, cuts=cuts, sigma_rel=0.5, min_background=0.02, signal_definition=definition
    )


def z_at(signal: float, background: float, sigma_rel: float) -> float:
    """Z_A of one bin."""
    return float(asimov_z0(signal, background, sigma_rel * background, auxiliary="poisson"))


def signal_for(z: float, background: float) -> float:
    """Signal events that Z_A asks for, 50 % systematic."""
    return float(brentq(lambda s: z_at(s, background, 0.5) - z, 1e-3, 1e6))


def show_background_behind(data: Sample, name: str, scores: Mapping[float, Floats]) -> None:
    """Which cut gives the talk's Z: Z_A at cuts that leave a given background."""
    header(
        f"Z_A against the background that the cut leaves, 0L, VH alone, {name}",
        *("c̄_HW", "b", "s (paper)", "Z paper", "Z excess", "simulated events behind b", "effective"),
        *("s for the talk's Z", *(f"Z paper, {x:.0%}" for x in SYSTEMATICS)),
    )
    for value, output in scores.items():
        paper, excess = (scan_of(data, output, value, d) for d in ("paper", "excess"))
        for left in LEFT:
            i = int(np.argmin(np.abs(np.log(paper.background / left))))
            behind = len(np.unique(data.events.identity[data.events.is_vh & (output >= paper.cuts[i])]))
            row(
                *(f"{value:g}", paper.background[i], paper.signal[i], paper.z[i], excess.z[i]),
                *(behind, f"{paper.background_effective_entries[i]:.0f}"),
                signal_for(TALK[value][1], float(paper.background[i])) if value in TALK else "–",
                *(z_at(float(paper.signal[i]), float(paper.background[i]), x) for x in SYSTEMATICS),
            )
        best = paper.best
        CONSOLE.print(
            f"| {value:g} | largest Z paper {paper.z[best]:.2f} at b = {paper.background[best]:.3f}, "
            f"{paper.background_effective_entries[best]:.0f} effective entries |||||"
        )


def show_linear_models(data: Sample) -> None:
    """AUC and Z_A of linear models through the same folds, VH alone."""
    header(
        "Linear models, 0L, VH alone",
        *("channel", "model", "c̄_HW", "AUC", "talk AUC / Z"),
        *("paper, no cut", "paper, cut", "excess, no cut", "excess, cut"),
    )
    for name in LINEAR_MODELS:
        scores = {v: linear_model(data, v, name) for v in TALK}
        show_significances(data, name, scores, vh_alone=True)


def scored(data: Sample) -> ScoredChannel:
    """Every discriminant of one channel, all trained with all backgrounds."""
    learn = data.observable
    mixed = {value: classifier_scores(learn, data.ratio(value), TREES) for value in VALUES}
    discriminants = {
        "pt_v": data.pt_v,
        "classifier": mixed[0.03],
        "classifier_0.01": mixed[0.01],
        "linear_score": linear_scores(learn, data.events.polynomial[:, 1], TREES),
        "ratio_score": ratio_scores(learn, data.ratio(0.01), TREES),
        "network": network_density(data, at=0.01),
    }
    return ScoredChannel(data.events, mixed, discriminants)


def network_density(data: Sample, *, at: float) -> Floats:
    """The density ratio at one value by a network that is parametrised in it."""
    learn, vh = data.observable, data.events.is_vh
    ratios = {value: data.ratio(value) for value in PARAMETER_VALUES}
    outputs = parametrised_network_scores(learn, data.events.identity, ratios, NETWORK, TRAINING, at=(at,))
    growth = data.events.weight_at((at, 0.0))[vh].sum() / data.events.weight[vh].sum()
    return excess_density(outputs[at], vh_probability(learn, TREES), float(growth))


def show_projections(channels: list[ScoredChannel], lumi_ifb: float) -> None:
    """Z_A against luminosity, both definitions and both scalings of the systematic."""
    found = [
        significance(one, value, CONFIG, signal_definition=definition)
        for one in channels
        for value in VALUES
        for definition in get_args(SignalDefinition)
    ]
    header(
        "Z_A against luminosity, trees, all backgrounds",
        *("channel", "c̄_HW", "definition", "systematic"),
        *(f"{x:g} fb⁻¹" for x in CONFIG.luminosities_ifb),
    )
    for line in projections(found, CONFIG, lumi_ifb=lumi_ifb):
        row(
            line.channel,
            f"{line.value:g}",
            line.signal_definition,
            line.scaling,
            *(f"{z:.2f}" for z in line.z),
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ntuples", type=Path)
    parser.add_argument("--card", type=Path, default=Path("analyses/vh_bb_smeft.yaml"))
    parser.add_argument("--work", type=Path, default=Path("output/benchmark_smeft"))
    parser.add_argument("--region", default="inclusive")
    parser.add_argument("--part", choices=PARTS, nargs="+", default=PARTS)
    options = parser.parse_args()
    card = yaml.safe_load(options.card.read_text(encoding="utf-8"))
    start = time.perf_counter()
    samples = {
        name: read(options.card, options.ntuples, name, options.region, work=options.work)
        for name in card["channels"]
    }
    for data in samples.values():
        show_yields(data, card["lumi_ifb"])
    if "talk" in options.part:
        kinds: tuple[LossKind, ...] = ("asimov", "cross_entropy")
        data = samples["0L"]
        outputs = {f"network, {kind}": {v: network(data, v, kind=kind) for v in TALK} for kind in kinds}
        outputs["trees"] = {
            v: classifier_scores(data.observable, data.ratio(v), TREES, with_backgrounds=False)
            for v in VALUES
        }
        outputs["pT(V) itself"] = dict.fromkeys(VALUES, data.pt_v)
        show_reproduction(samples, outputs)
        for name, scores in outputs.items():
            show_background_behind(data, name, scores)
        show_linear_models(data)
    if {"limits", "coverage"} & set(options.part):
        channels = [scored(data) for data in samples.values()]
        systematics = Systematics(**card["systematics"])
    if "limits" in options.part:
        show_projections(channels, card["lumi_ifb"])
        pt_v = {name: data.pt_v for name, data in samples.items()}
        smeft_limits.show(channels, pt_v, systematics, CONFIG)
    if "coverage" in options.part:
        smeft_limits.show_toys(channels, systematics, CONFIG, work=options.work)
    CONSOLE.print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
