"""From the limits of VH(bb) to the arguments of their figures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.results import IntervalResult, SmeftResults
from znought.analyses.vh_bb.summary import BEST, DISCRIMINANT_TITLES
from znought.facility.figures.picture import Picture
from znought.facility.figures.writing import CardFigures
from znought.plots import limits
from znought.plots.style import FigureLabel

__all__ = ["LimitAlbum"]

_DRAWN_TITLES = {**DISCRIMINANT_TITLES, "pt_v": "$p_{T}^{V}$"}

AXES_TITLES = {"c_hw": r"$\bar{c}_{HW}$", "c_hb": r"$\bar{c}_{HB}$"}
USUAL = {"channel": "combined", "order": "quadratic", "method": "delta_2lnl", "scaling": "fixed"}


@dataclass(frozen=True)
class LimitAlbum(CardFigures[VHBBCard]):
    """Figures of intervals, likelihood scans and the contour."""

    results: SmeftResults

    @property
    def _of_data(self) -> FigureLabel:
        """Of figures at the luminosity of the data."""
        lumi_ifb = next((one.lumi_ifb for one in self.results.observed), self.card.lumi_ifb)
        return replace(self.label, lumi_ifb=lumi_ifb)

    @property
    def _claim(self) -> float | None:
        return self.card.published.claim if self.card.published else None

    def pictures(self) -> Iterator[Picture]:
        """Every figure, in the order of the report."""
        yield from self._by_discriminant()
        yield from self._by_channel()
        yield from self._observed()
        yield from self._variants()
        yield from self._truncations()
        yield from self._scans()
        yield from self._contour()

    def _chosen(self, wanted: Mapping[str, str]) -> list[IntervalResult]:
        settings = {"region": self.card.training_region, **USUAL, **wanted}
        return [
            one
            for one in self.results.intervals
            if all(getattr(one, name) == value for name, value in settings.items())
        ]

    def _bars(
        self,
        entries: list[limits.LimitEntry],
        name: str,
        title: str,
        note: str,
        kind: str = "Expected interval",
    ) -> Iterator[Picture]:
        if entries:
            figure = limits.limit_bars(entries, label=self.shapes, claim=self._claim, note=note, kind=kind)
            yield Picture(name, title, "Limits", figure)

    def _by_discriminant(self) -> Iterator[Picture]:
        """Counting is so much wider that it is written, not drawn."""
        for region in self.card.regions:
            drawn = [name for name in _DRAWN_TITLES if name != "counting"]
            entries = [
                _entry(one, _DRAWN_TITLES[discriminant], f"{one.lumi_ifb:g} fb$^{{-1}}$")
                for discriminant in drawn
                for one in self._chosen({"discriminant": discriminant, "region": region})
            ]
            counting = self._chosen({"discriminant": "counting", "region": region})
            note = f"all channels, {region}"
            if counting:
                low, high = counting[0].segments[0][0], counting[0].segments[-1][1]
                ends = f"[{1e3 * low:.3g}, {1e3 * high:.3g}]".replace("-", "−")
                note += f"; counting alone: {ends} at {counting[0].lumi_ifb:g} fb$^{{-1}}$"
            title = f"Expected 95 % intervals by discriminant, channels combined, {region}"
            yield from self._bars(_by_luminosity(entries), f"intervals_{region}", title, note)

    def _by_channel(self) -> Iterator[Picture]:
        entries = [
            _entry(one, channel, _DRAWN_TITLES[discriminant])
            for discriminant in ("pt_v", BEST)
            for channel in (*self.card.channels, "combined")
            for one in self._chosen({"discriminant": discriminant, "channel": channel})
            if one.lumi_ifb == self.card.lumi_ifb
        ]
        title = f"Expected 95 % intervals by channel at {self.card.lumi_ifb:g} fb⁻¹"
        yield from self._bars(entries, "intervals_channels", title, f"{self.card.lumi_ifb:g} fb$^{{-1}}$")

    def _observed(self) -> Iterator[Picture]:
        """Data beside the expectation of the same bins, channels combined."""
        for region in self.card.regions:
            chosen = [
                one
                for one in self.results.observed
                if (one.region, one.channel, one.order, one.method)
                == (region, "combined", "quadratic", "delta_2lnl")
                and one.discriminant != "counting"
            ]
            entries = [
                limits.LimitEntry(
                    name=_DRAWN_TITLES[one.discriminant],
                    group=group,
                    segments95=segments,
                    at_validity=one.reaches_validity and group == "observed",
                )
                for one in chosen
                for group, segments in (("observed", one.segments), ("expected", one.expected))
            ]
            title = f"Observed 95 % intervals by discriminant, channels combined, {region}"
            note = f"all channels, {region}"
            if chosen:
                note += f", {chosen[0].lumi_ifb:.4g} fb$^{{-1}}$"
            yield from self._bars(entries, f"observed_{region}", title, note, kind="Interval")

    def _variants(self) -> Iterator[Picture]:
        """What the squared term and the scaling of the systematics change."""
        variants: dict[str, dict[str, str]] = {
            "syst. fixed": {},
            r"syst. $\propto 1/\sqrt{L}$": {"scaling": "inverse_sqrt"},
            "no squared term": {"order": "linear"},
            "CLs": {"method": "cls"},
        }
        entries = [
            _entry(one, title, f"{one.lumi_ifb:g} fb$^{{-1}}$")
            for title, wanted in variants.items()
            for one in self._chosen({"discriminant": BEST, **wanted})
        ]
        title = "Parametrised network: squared term, systematics and CLs"
        yield from self._bars(
            _by_luminosity(entries), "intervals_variants", title, f"{_DRAWN_TITLES[BEST]}, all channels"
        )

    def _truncations(self) -> Iterator[Picture]:
        entries = [
            limits.LimitEntry(
                name="all energies" if one.pt_v_max_gev is None else f"$p_T^V$ < {one.pt_v_max_gev:g} GeV",
                group=f"{self.card.lumi_ifb:g} fb$^{{-1}}$",
                segments95=one.segments,
                at_validity=one.reaches_validity,
            )
            for one in self.results.truncations
        ]
        title = "Parametrised network: interval with c̄ switched off at high energy"
        yield from self._bars(entries, "truncations", title, f"{_DRAWN_TITLES[BEST]}, all channels")

    def _scans(self) -> Iterator[Picture]:
        scans = {"expected": self.results.scans, "observed": self.results.observed_scans}
        for kind, found in scans.items():
            curves = {
                _DRAWN_TITLES[one.discriminant]: (np.asarray(one.values), np.asarray(one.delta_2lnl))
                for one in found
                if one.discriminant != "counting"
            }
            if curves:
                label = self.label if kind == "expected" else self._of_data
                figure = limits.likelihood_scan(curves, label=label, note=f"{kind}, all channels")
                title = f"{kind.capitalize()} likelihood, channels combined"
                caption = "Counting is so much wider that it is not drawn."
                name = "likelihood_scan" + ("" if kind == "expected" else f"_{kind}")
                yield Picture(name, title, "Limits", figure, caption)

    def _contour(self) -> Iterator[Picture]:
        found = self.results.contour
        if found is None:
            return
        thresholds = {float(level): height for level, height in found.thresholds.items()}
        t = np.asarray(found.t)
        crossed = {level: height for level, height in thresholds.items() if t.min() < height < t.max()}
        grid = limits.ContourGrid(np.asarray(found.x), np.asarray(found.y), t, crossed)
        first, second = (AXES_TITLES.get(name, name) for name in found.names)
        figure = limits.contours(
            {_DRAWN_TITLES[found.discriminant]: grid}, axes_titles=(first, second), label=self.label
        )
        title = "Expected contours of two coefficients, channels combined"
        yield Picture("contour", title, "Limits", figure)


def _entry(one: IntervalResult, name: str, group: str) -> limits.LimitEntry:
    return limits.LimitEntry(
        name=name, group=group, segments95=one.segments, at_validity=one.reaches_validity
    )


def _by_luminosity(entries: list[limits.LimitEntry]) -> list[limits.LimitEntry]:
    return sorted(entries, key=lambda entry: float(entry.group.split()[0]))
