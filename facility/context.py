"""What every stage is given: the card, the output directory, a cluster when it asks, and a reporter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeVar, get_args

from distributed import Client

from znought.analysis import Analysis
from znought.errors import CardError, unknown_name
from znought.facility.cards.base import BaseCard
from znought.facility.cards.finding import Found
from znought.facility.progress import Reporter
from znought.facility.workspace import Workspace

__all__ = ["STEPS", "Context", "RunOptions", "Step", "opened_step"]

Step = Literal["control", "validation", "tails", "signal"]
STEPS: tuple[Step, ...] = get_args(Step)
"""In which data of the likelihood's bins are shown, in order; see `znought.facility.fitting.opening`."""


@dataclass(frozen=True)
class RunOptions:
    """What the command line may add to a card.

    Attributes:
        events_scale: multiplies the generated events of every dataset.
        fileset: an existing fileset instead of the one in the output directory.
        opened: the step up to which data are shown in the bins of the likelihood; None shows none.
        force: redo every stage that is asked for.
        start: redo this stage of the flow and those behind it.
        max_files, max_chunks: most files and chunks of each dataset that are processed; None takes all.
        thorough: let the referee draw pseudo-experiments, too.
        skim: folder to which `process` writes the selected events as ntuples; None writes none.
    """

    events_scale: float = 1.0
    fileset: Path | None = None
    opened: Step | None = None
    force: bool = False
    start: str | None = None
    max_files: int | None = None
    max_chunks: int | None = None
    thorough: bool = False
    skim: Path | None = None

    @property
    def unblind(self) -> bool:
        """Whether data are shown in every bin, those of the signal among them."""
        return self.opened == STEPS[-1]


def opened_step(name: str | None, *, whole: bool) -> Step | None:
    """The step that the command line names.

    Args:
        name: what follows `--unblind-to`.
        whole: `--unblind`, which goes all the way.

    Raises:
        CardError: an unknown step, or an earlier one together with `--unblind`.
    """
    if name is None:
        return STEPS[-1] if whole else None
    for step in STEPS:
        if step == name and (step == STEPS[-1] or not whole):
            return step
    if name in STEPS:
        raise CardError(f"--unblind shows everything, --unblind-to {name} does not: give one of them.")
    raise CardError(f"--unblind-to: {unknown_name('step', name, STEPS)}")


CardT_co = TypeVar("CardT_co", bound=BaseCard, covariant=True)


@dataclass(frozen=True)
class Context(Generic[CardT_co]):
    """One run of one analysis, whose card's class says which.

    Attributes:
        found: the analysis, with the source that it came from.
        cluster: opens the cluster at its first call; a run whose stages all hold never does.
        elsewhere: stage → the same of another site, for stages that do not run where the others do.
    """

    card: CardT_co
    workspace: Workspace
    options: RunOptions
    reporter: Reporter
    cluster: Callable[[], Client]
    found: Found
    elsewhere: Mapping[str, Callable[[], Client]] = field(default_factory=dict)

    @property
    def analysis(self) -> Analysis:
        """What the card is a card of."""
        return self.found.analysis

    @property
    def fileset_path(self) -> Path:
        """Where the fileset is read from."""
        return self.options.fileset or self.workspace.fileset
