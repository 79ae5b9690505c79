"""The closing tables of VH(bb) in the SMEFT: what was found, beside what is published."""

from collections.abc import Mapping

from znought.analyses.vh_bb.results import (
    Area,
    IntervalResult,
    Segments,
    SignificanceEntry,
    SmeftResults,
)
from znought.plots.report import ReportTable
from znought.plots.style import FigureLabel

__all__ = ["BEST", "DISCRIMINANT_TITLES", "MODEL_TITLES", "smeft_tables"]

MODEL_TITLES = {
    "asimov": "Asimov loss",
    "cross_entropy": "cross-entropy",
    "trees": "trees, with backgrounds",
}
DISCRIMINANT_TITLES = {
    "counting": "counting",
    "pt_v": "pT(V)",
    "classifier": "classifier",
    "parametrised_trees": "parametrised trees",
    "linear_score": "linear score",
    "parametrised_network": "parametrised network",
}
BREAKDOWN_TITLES = {"none": "statistics alone", "rates": "no variations"}
BEST = "parametrised_network"
"""What channels, variants, truncations, calibration and contour are shown for."""


def smeft_tables(results: SmeftResults) -> tuple[ReportTable, ...]:
    """Reproduction, significances with all backgrounds, intervals, and the events behind them."""
    return (
        _reproduction(results),
        _significances(results),
        _intervals(results),
        *([_observed(results)] if results.observed else []),
        _calibrations(results),
        _yields(results),
    )


def _head(results: SmeftResults) -> str:
    return _conditions(results, results.lumi_ifb)


def _conditions(results: SmeftResults, lumi_ifb: float | None) -> str:
    """Label, energies and luminosity; none of these where it is an axis of the table."""
    label = FigureLabel(results.label, lumi_ifb, results.energies_tev)
    return f"{label.label}, {label.conditions}"


def _reproduction(results: SmeftResults) -> ReportTable:
    """The published networks in their channel, without backgrounds as there, beside its numbers."""
    published, region = results.published, results.main_region
    channel = results.channels[0]
    if published is not None and published.channel in results.channels:
        channel = published.channel
    rows = []
    for model in ("asimov", "cross_entropy"):
        for value in sorted({one.value for one in results.auc}, reverse=True):
            found = {
                one.signal_definition: one
                for one in results.significances
                if (one.channel, one.region, one.model, one.value) == (channel, region, model, value)
                and not one.with_backgrounds
            }
            areas = [a for a in results.auc if (a.channel, a.model, a.value) == (channel, model, value)]
            rows.append(
                (
                    MODEL_TITLES[model],
                    f"{value:g}",
                    _area(areas[0] if areas else None),
                    _less_trees(areas[0] if areas else None),
                    _quoted(published.auc if published else {}, value),
                    f"{found['paper'].inclusive_z:.2f}" if "paper" in found else "–",
                    _z(found.get("paper")),
                    _quoted(published.z_a if published else {}, value),
                    _z(found.get("excess")),
                )
            )
    header = (
        "VH alone",
        "c̄_HW",
        "AUC",
        "less trees",
        "quoted",
        "no cut",
        "paper (b)",
        "quoted",
        "excess (b)",
    )
    title = f"{_head(results)}, {channel} {region}: the networks of arXiv:1902.05803, held out"
    return ReportTable(title, header, tuple(rows), _reproduction_caption(results))


def _reproduction_caption(results: SmeftResults) -> str:
    caption = (
        f"Z_A with {results.sigma_background:.0%} background uncertainty, in brackets the background events "
        'behind it. "paper" counts the whole yield at c̄ ≠ 0 as signal, "excess" what exceeds the standard '
        'model; no cut: "paper" without a network. AUC: training (out of fold) and test events, each by the '
        "networks of its own folds; less trees: paired, on the same VH events."
    )
    published = results.published
    if published is None:
        return caption
    without = ", ".join(f"{z:.2f} at c̄ = {value}" for value, z in published.no_network.items())
    caption += f" Quoted: from {published.source}, {published.channel}."
    if without:
        caption += f' Its own yields with no network at all give {without} when counted as "paper".'
    return caption


def _quoted(numbers: Mapping[str, float], value: float) -> str:
    return f"{numbers[key]:g}" if (key := f"{value:g}") in numbers else "–"


def _less_trees(area: Area | None) -> str:
    if area is None or area.less_trees is None:
        return "–"
    low, high = area.less_trees.interval
    return f"{area.less_trees.value:+.3f} ± {0.5 * (high - low):.3f}".replace("-", "−")


def _area(area: Area | None) -> str:
    if area is None:
        return "–"
    low, high = area.area.interval
    return f"{area.area.value:.3f} ± {0.5 * (high - low):.3f}"


def _z(found: SignificanceEntry | None) -> str:
    if found is None:
        return "–"
    return f"{found.z:.3g} ({found.background:.3g})" + ("" if found.trustworthy else "*")


def _significances(results: SmeftResults) -> ReportTable:
    entries = {
        (one.channel, one.region, one.value, one.signal_definition): one
        for one in results.significances
        if one.with_backgrounds and one.model == "trees"
    }
    values = sorted({one.value for one in results.auc}, reverse=True)
    rows = []
    for region in results.regions:
        for channel in results.channels:
            cells = [
                _z(entries.get((channel, region, value, definition)))
                for value in values
                for definition in ("paper", "excess")
            ]
            rows.append((f"{channel} {region}", *cells))
    header = ("all backgrounds", *(f"{value:g} {name}" for value in values for name in ("paper", "excess")))
    caption = (
        "Trees that learn c̄ ≠ 0 against the standard model and all backgrounds; Z_A held out, in brackets "
        "the background events behind it. * too few simulated V + heavy flavour and tt̄ events are left above "
        "the cut for the number to be believed."
    )
    return ReportTable(f"{_head(results)}: Z_A with all backgrounds", header, tuple(rows), caption)


def _intervals(results: SmeftResults) -> ReportTable:
    """Combined by discriminant, then the best one by channel, order, scaling and region."""
    main, lumis = results.main_region, sorted({one.lumi_ifb for one in results.intervals})
    asked: list[tuple[str, dict[str, str]]] = [
        (title, {"discriminant": name}) for name, title in DISCRIMINANT_TITLES.items()
    ]
    asked += [
        (f"{title}, {channel}", {"discriminant": name, "channel": channel})
        for channel in results.channels
        for name, title in (("pt_v", "pT(V)"), (BEST, "network"))
    ]
    asked.append(("network, no squared term", {"discriminant": BEST, "order": "linear"}))
    asked.append(("network, syst. ∝ 1/√L", {"discriminant": BEST, "scaling": "inverse_sqrt"}))
    asked += [
        (f"network, {region}", {"discriminant": BEST, "region": region})
        for region in results.regions
        if region != main
    ]
    usual = {
        "channel": "combined",
        "region": main,
        "order": "quadratic",
        "method": "delta_2lnl",
        "scaling": "fixed",
    }
    rows = []
    for title, differs in asked:
        chosen = _chosen(results, usual | differs)
        rows.append((title, *(_interval(chosen.get(lumi)) for lumi in lumis)))
    for one in results.breakdown[:-1]:
        shown = _around_zero(one.segments) + ("†" if one.reaches_validity else "")
        cells = (shown if lumi == results.lumi_ifb else "–" for lumi in lumis)
        rows.append((f"network, {BREAKDOWN_TITLES[one.systematics]}", *cells))
    level = results.intervals[0].level if results.intervals else 0.95
    header = ("combined unless said", *(f"{lumi:g} fb⁻¹" for lumi in lumis))
    caption = (
        f"In units of 10⁻³; −2 Δln L, {results.symbol} alone, {main} region, systematics fixed and the "
        "squared term kept unless said. ∪ the squared term allows another range away from the SM; "
        "† an end is that of the validity of the weights."
    )
    title = f"{_conditions(results, None)}: expected {level:.0%} intervals of {results.symbol}"
    return ReportTable(title, header, tuple(rows), caption)


def _chosen(results: SmeftResults, wanted: dict[str, str]) -> dict[float, IntervalResult]:
    return {
        one.lumi_ifb: one
        for one in results.intervals
        if all(getattr(one, name) == value for name, value in wanted.items())
    }


def _interval(found: IntervalResult | None) -> str:
    return "–" if found is None else _around_zero(found.segments) + ("†" if found.reaches_validity else "")


def _around_zero(segments: Segments) -> str:
    """The range that holds the standard model; ∪ says that there is another."""
    low, high = min(segments, key=lambda pair: 0.0 if pair[0] <= 0.0 <= pair[1] else abs(sum(pair)))
    text = f"[{1e3 * low:.3g}, {1e3 * high:.3g}]".replace("-", "−")
    return text + (" ∪" if len(segments) > 1 else "")


def _observed(results: SmeftResults) -> ReportTable:
    """Observed intervals beside the expected ones of the same bins, by discriminant and channel."""
    chosen = [
        one
        for one in results.observed
        if (one.order, one.method) == ("quadratic", "delta_2lnl")
        and (one.channel == "combined" or one.discriminant == BEST)
    ]
    rows = tuple(
        (
            one.region,
            one.channel,
            DISCRIMINANT_TITLES[one.discriminant],
            f"{1e3 * one.best:.3g}".replace("-", "−"),
            _around_zero(one.segments) + ("†" if one.reaches_validity else ""),
            _around_zero(one.expected),
        )
        for one in chosen
    )
    first = results.observed[0]
    header = ("region", "channel", "discriminant", "best", "observed", "expected")
    caption = (
        "In units of 10⁻³, −2 Δln L; expected in the same bins at the luminosity of the data. ∪, † as above."
    )
    title = f"{_conditions(results, first.lumi_ifb)}: observed {first.level:.0%} intervals"
    return ReportTable(f"{title} of {results.symbol}", header, rows, caption)


def _calibrations(results: SmeftResults) -> ReportTable:
    truths = [one.truth for one in results.calibrations[0].coverage] if results.calibrations else []
    rows = tuple(
        (
            one.channel,
            _around_zero(one.asymptotic),
            *(f"{found.fraction:.3f}" for found in one.coverage),
            _around_zero(one.calibrated),
            *(f"{found.fraction:.3f}" for found in one.calibrated_coverage),
        )
        for one in results.calibrations
    )
    header = (
        DISCRIMINANT_TITLES[BEST],
        "by χ²",
        *(f"holds {truth:g}" for truth in truths),
        "by toys",
        *(f"holds {truth:g}" for truth in truths),
    )
    n_toys = results.calibrations[0].coverage[0].n_toys if rows else 0
    caption = f"Share of {n_toys} toys, thrown at the truth, whose interval holds it; intervals in 10⁻³."
    return ReportTable(f"{_head(results)}: intervals calibrated by toys", header, rows, caption)


def _yields(results: SmeftResults) -> ReportTable:
    rows = tuple(
        (
            f"{one.channel} {one.region} {one.process}",
            f"{one.events:,.1f}",
            *(f"{events:,.1f}" for events in one.events_at.values()),
            f"{one.generated:,}",
            f"{one.effective:,.0f}",
        )
        for one in results.yields
    )
    values = list(results.yields[0].events_at) if results.yields else []
    header = ("process", "SM", *(f"c̄ = {value}" for value in values), "generated", "effective")
    caption = "Expected events; distinct generated events and the effective size behind them. "
    caption += " ".join(results.notes)
    return ReportTable(f"{_head(results)}: events", header, rows, caption)
