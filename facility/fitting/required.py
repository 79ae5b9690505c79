"""Which uncertainties the card asks of every process, and which are not there."""

from znought.facility.cards.standard import StandardCard
from znought.stats.requirements import missing_uncertainties, required_of
from znought.stats.workspace import WorkspaceConfig

__all__ = ["missing"]


def missing(card: StandardCard, settings: WorkspaceConfig) -> tuple[str, ...]:
    """One line for each uncertainty that a process must have and does not.

    Args:
        card: with what is required.
        settings: norms and systematics of the fit.
    """
    processes = [name for name, entry in card.processes.items() if entry.kind == "simulation"]
    norms = {p: [n for n, norm in settings.norms.items() if p in norm.processes] for p in processes}
    systematics = {
        process: {
            name: one.part
            for name, one in settings.systematics.items()
            if not one.processes or process in one.processes
        }
        for process in processes
    }
    acceptance = {p: [n for n, part in acting.items() if part != "norm"] for p, acting in systematics.items()}
    either = {process: [*norms[process], *systematics[process]] for process in processes}
    likelihood = card.likelihood
    lacking = missing_uncertainties(required_of(likelihood.required, processes), either)
    apart = missing_uncertainties(required_of(likelihood.required_acceptance, processes), acceptance)
    return (*(one.text for one in lacking), *(f"Acceptance: {one.text}" for one in apart))
