"""Does the referee catch every planted mistake, and from which size on?

    OMP_NUM_THREADS=1 python -m benchmarks.referee CARD OUTPUT --fileset FILESET

OUTPUT is a finished run of a card of the standard flow with a network, as `make demo` leaves it. It is copied
and never changed. Mistakes are planted in copies, as a faulty program would have left them, and judged by
the checks of `znought referee`; then the rate is counted at which the clean run would be refused by chance.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.referee_plants import Plant
from benchmarks.referee_table import PLANTS
from znought.facility.cards.reading import load_with_analysis
from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context, RunOptions
from znought.facility.events.sample import read_sample
from znought.facility.fitting.placement import likelihood_bins
from znought.facility.progress import Silent
from znought.facility.referee.counting import counting_checks
from znought.facility.referee.likelihood import likelihood_checks
from znought.facility.referee.scores import NetworkScores, score_checks
from znought.facility.referee.significance import significance_checks
from znought.facility.referee.tilted import TiltedEvents, control_counts
from znought.facility.results.binned import read_binning
from znought.facility.results.standard import read_results
from znought.facility.workspace import Workspace, read_json
from znought.stats.referee.memory import ScoredClass, remembered
from znought.stats.referee.normalisation import yield_of_data
from znought.stats.referee.record import Check
from znought.stats.referee.slopes import Slope, measured_slope, shift_of_mu

LEFT_OUT = shutil.ignore_patterns("figures", "ntuples", "report.html")


@dataclass(frozen=True)
class Given:
    """The run that is copied."""

    card: Path
    output: Path
    fileset: Path | None


def context_of(given: Given, output: Path, changes: dict[str, Any]) -> Context[StandardCard]:
    """The context of a copy, with sections of the card replaced."""
    card, found = load_with_analysis(given.card)
    assert isinstance(card, StandardCard)
    cluster: Any = None
    changed = card.model_copy(update=changes)
    return Context(changed, Workspace(output), RunOptions(fileset=given.fileset), Silent(), cluster, found)


def checks(context: Context[StandardCard], topic: str) -> Iterator[Check]:
    """Checks of one topic, one after another."""
    card, workspace = context.card, context.workspace
    results = read_results(workspace.results)
    if topic == "scores":
        return score_checks(card, workspace)
    if topic == "likelihood":
        return likelihood_checks(card, workspace, results, thorough=False)
    sample = read_sample(card, workspace, kind="simulation")
    if topic == "significance":
        return significance_checks(card, workspace, sample, results)
    return counting_checks(context, sample, results)


def judged(given: Given, plant: Plant) -> list[Check]:
    """The checks that a plant is for, on a copy that holds it."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        shutil.copytree(given.output, output, ignore=LEFT_OUT)
        (output / "manifest.json").unlink(missing_ok=True)
        context = context_of(given, output, {})
        changes = plant.act(context) or {}
        context = replace(context, card=context.card.model_copy(update=changes))
        if plant.judge is not None:
            return [plant.judge(context)]
        wanted, found = set(plant.checks), []
        for check in checks(context, plant.topic):
            if check.name in wanted:
                found.append(check)
                wanted.remove(check.name)
            if not wanted:
                break
        return found


def false_alarms(given: Given, n: int) -> Iterator[tuple[str, int, int, int]]:
    """Check → how often it warns and fails in samples without a mistake, of how many."""
    context = context_of(given, given.output, {})
    networks = NetworkScores.of(context.card, context.workspace)
    columns, scores = networks.tables(tuple(networks.plan.class_of))
    index = columns.per_dataset(networks.plan.class_of)
    _, unit = np.unique(columns.identity, return_inverse=True)
    random = np.random.default_rng(1)
    verdicts = []
    for _ in range(n):
        test = (random.random(int(unit.max()) + 1) < context.card.training.test_fraction)[unit]
        classes = {
            name: _class(scores[f"score_{name}"], scores["event_weight"], unit, test, index == i)
            for i, name in enumerate(context.card.classes)
        }
        verdicts.append(remembered(classes).verdict)
    yield _counted("training against test", verdicts)
    expected = 230.0
    counts = random.poisson(random.normal(expected, 5.0, 20 * n))
    verdicts = [yield_of_data(int(k), expected, 5.0, 0.0, where="").verdict for k in counts]
    yield _counted("yield of data, statistics alone", verdicts)
    yield from _slope_alarms(context, n, random)


def _slope_alarms(
    context: Context[StandardCard], n: int, random: np.random.Generator
) -> Iterator[tuple[str, int, int, int]]:
    """Slopes that pseudo-data without one seem to have, simulation and data of their own fluctuations."""
    card, workspace = context.card, context.workspace
    bins = likelihood_bins(card, read_binning(workspace.binning))
    events = TiltedEvents.of(card, workspace, bins)
    spec = read_json(workspace.fit / "workspace.json")
    counts = control_counts(card, workspace, bins)
    assert counts is not None
    for name, share in events.backgrounds.items():
        if share < 0.02:
            continue
        shift = shift_of_mu(spec, events.tilted(name, bins))
        blank = events.control_bins(name, np.zeros_like(counts), card.lumi_ifb)
        mean = blank.process + sum(blank.others.values())
        verdicts = []
        for _ in range(n):
            truth = np.maximum(random.normal(mean, np.sqrt(blank.sumw2)), 0.0)
            data = replace(blank, data=random.poisson(truth).astype(np.float64))
            verdicts.append(Slope(name, shift, measured_slope(data)).verdict)
        yield _counted(f"slope of {name}, {card.lumi_ifb:g} fb⁻¹ of data", verdicts)


def _class(
    score: NDArray[Any], weight: NDArray[Any], unit: NDArray[Any], test: NDArray[Any], rows: NDArray[Any]
) -> ScoredClass:
    values = score[rows].astype(np.float64)
    return ScoredClass(values, values, values, weight[rows], unit[rows], test[rows])


def _counted(name: str, verdicts: Sequence[str]) -> tuple[str, int, int, int]:
    return name, verdicts.count("warn"), verdicts.count("fail"), len(verdicts)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("card", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--fileset", type=Path)
    parser.add_argument("--only", help="Plants whose name holds this.", default="")
    parser.add_argument("--samples", type=int, default=300, help="For the rate of false alarms.")
    options = parser.parse_args()
    given = Given(options.card, options.output, options.fileset)
    table = Table("planted", "size", "check", "verdict", "number", "limit", "measured")
    progress = Console(stderr=True)
    for plant in PLANTS:
        if options.only not in plant.name:
            continue
        for check in judged(given, plant):
            row = (check.name, check.verdict, _shown(check.value), _shown(check.limit), check.measured)
            table.add_row(plant.name, plant.size, *row)
            progress.print(f"{plant.name}, {plant.size}: {' | '.join(row)}", soft_wrap=True, markup=False)
    Console(width=200).print(table)
    alarms = Table("check", "warns", "fails", "clean samples")
    for name, warns, fails, total in false_alarms(given, options.samples):
        alarms.add_row(name, str(warns), str(fails), str(total))
    Console().print(alarms)


if __name__ == "__main__":
    main()
