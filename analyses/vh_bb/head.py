"""The head of the report of VH(bb): the intervals and significances, the published ones beside them."""

from collections.abc import Iterator

from znought.analyses.vh_bb.results import IntervalResult, SmeftResults
from znought.analyses.vh_bb.summary import BEST
from znought.facility.referee.verdicts import Verdicts, referee_state, verdict_line
from znought.plots.report import ReportHead
from znought.plots.style import FigureLabel

__all__ = ["smeft_head"]


def smeft_head(results: SmeftResults, verdicts: Verdicts | None, notes: tuple[str, ...]) -> ReportHead:
    """What a reader sees first.

    Args:
        results: with intervals.
        verdicts: of the referee; None where nobody has judged them.
        notes: of the results, as the page writes them.
    """
    return ReportHead(
        title=results.title,
        label=FigureLabel(results.label, results.lumi_ifb, results.energies_tev),
        highlights=(*_observed(results), *_expected(results), *_significances(results)),
        state=referee_state(verdicts),
        verdict=verdict_line(verdicts),
        notes=notes,
    )


def _observed(results: SmeftResults) -> Iterator[tuple[str, str]]:
    """The interval of the data, where they were shown."""
    for one in results.observed:
        combined = (one.channel, one.order, one.method) == ("combined", "quadratic", "delta_2lnl")
        if combined and one.discriminant == BEST and one.region == results.main_region:
            yield (
                _ranges(one.segments),
                f"{results.symbol} · 10³, observed at {one.lumi_ifb:.3g} fb⁻¹, {one.level:.0%}",
            )


def _expected(results: SmeftResults) -> Iterator[tuple[str, str]]:
    """The expected interval of the network, and of counting alone."""
    for name, words in ((BEST, "network, all channels"), ("counting", "counting alone")):
        if (found := _interval(results, name)) is not None:
            meaning = f"{results.symbol} · 10³, expected, {found.level:.0%}, {words}"
            if name == BEST and results.published is not None and results.published.claim is not None:
                meaning += f"; published reach ± {1e3 * results.published.claim:g}"
            yield _ranges(found.segments), meaning


def _interval(results: SmeftResults, discriminant: str) -> IntervalResult | None:
    usual = ("combined", results.main_region, "quadratic", "delta_2lnl", "fixed", results.lumi_ifb)
    for one in results.intervals:
        mine = (one.channel, one.region, one.order, one.method, one.scaling, one.lumi_ifb)
        if mine == usual and one.discriminant == discriminant:
            return one
    return None


def _significances(results: SmeftResults) -> Iterator[tuple[str, str]]:
    """Z_A of the largest published value by both definitions of signal, beside the published one."""
    published = results.published
    if published is None or not published.z_a:
        return
    value = max(published.z_a, key=float)
    for one in results.significances:
        mine = (one.channel, one.region, one.model, one.with_backgrounds)
        if mine == (published.channel, results.main_region, "asimov", False) and f"{one.value:g}" == value:
            counted = {"paper": "the whole yield as signal", "excess": "the excess over the SM as signal"}
            meaning = f"Z_A held out, {one.channel}, VH alone, {results.symbol} = {value}, "
            meaning += counted.get(one.signal_definition, one.signal_definition)
            if one.signal_definition == "paper":
                meaning += f"; published {published.z_a[value]:g}"
            yield f"{one.z:.2f}", f"{meaning}; {one.background:.2g} background events"


def _ranges(segments: tuple[tuple[float, float], ...]) -> str:
    """Allowed ranges in units of 10⁻³."""
    parts = (f"[{1e3 * low:.2f}, {1e3 * high:.2f}]" for low, high in segments)
    return " ∪ ".join(parts).replace("-", "−")
