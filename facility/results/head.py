"""The head of the report: title, results, the referee's verdict and what limits the numbers."""

from collections.abc import Collection

from znought.facility.referee.verdicts import Verdicts, referee_state, verdict_line
from znought.facility.results.standard import Results
from znought.facility.results.words import in_words
from znought.plots.report import ReportHead
from znought.plots.style import FigureLabel

__all__ = ["results_head"]


def results_head(
    results: Results, verdicts: Verdicts | None, names: Collection[str] = frozenset()
) -> ReportHead:
    """What a reader sees first: the fit, the held-out significance, and what they are compared with.

    Args:
        results: of the run.
        verdicts: of the referee; None where nobody has judged them.
        names: of the card, which notes write as figures do.
    """
    return ReportHead(
        title=results.title,
        label=FigureLabel(results.label, results.lumi_ifb, results.energies_tev),
        highlights=(*_fitted(results), *_significances(results)),
        state=referee_state(verdicts),
        verdict=verdict_line(verdicts),
        notes=tuple(in_words(note, names) for note in results.notes),
    )


def _fitted(results: Results) -> list[tuple[str, str]]:
    found = results.fit
    if found is None:
        return []
    low, high = found.mu_interval
    kind = f"fit to {found.data} data"
    if found.lumi_ifb and found.lumi_ifb != results.lumi_ifb:
        kind += f" of {found.lumi_ifb:g} fb⁻¹"
    shown = [
        (f"{found.mu:.2f} [{low:.2f}, {high:.2f}]".replace("-", "−"), f"signal strength μ, {kind}, 68 %")
    ]
    if found.z0 is not None:
        shown.append((f"{found.z0:.2f}", f"Z₀ of the {kind}, MC statistics and all systematics in it"))
    return shown


def _significances(results: Results) -> list[tuple[str, str]]:
    """Of the discriminant, without and with MC statistics, and of the cuts in one bin."""
    main = [name for name in results.z0 if name not in results.z0_differences][:1]
    shown = []
    for name in dict.fromkeys([*main, *list(results.z0)[:1]]):
        found, title = results.z0[name], results.selections.get(name, name)
        low, high = found.interval
        meaning = f"expected Z₀, held out, {title[0].lower()}{title[1:]}, 68 %"
        shown.append((f"{found.held_out:.2f} [{low:.2f}, {high:.2f}]", meaning))
        if name in main and found.mc_stat is not None:
            shown.append(
                (f"{found.mc_stat.value:.2f}", "the same with the error of finite simulation in every bin")
            )
    return shown
