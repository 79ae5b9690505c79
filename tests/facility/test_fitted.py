"""The record of a fit, and the tables and figures that follow from it alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.stats.regions import config, regions
from znought.facility.figures.fitted import fit_pictures
from znought.facility.results.fit_tables import fit_tables
from znought.facility.results.fitted import FitSummary, fit_summary
from znought.plots.style import FigureLabel
from znought.stats.fit_report import full_fit
from znought.stats.workspace import build_workspace

LABEL = FigureLabel(label="Simulation", lumi_ifb=10.0)


@pytest.fixture(scope="module")
def observed() -> FitSummary:
    """A fit to data that lie above the expectation, read back from its JSON."""
    found = tuple(replace(r, observed=r.nominal.sumw.sum(axis=0).round() + 3) for r in regions())
    report = full_fit(build_workspace(found, config()), data="observed", n_toys=10)
    return FitSummary.model_validate_json(fit_summary(report, found, lumi_ifb=2.5).model_dump_json())


def test_regions_hold_yields_before_and_after_with_correlated_errors(observed: FitSummary) -> None:
    assert list(observed.regions) == [region.name for region in regions()]
    for template in regions():
        region = observed.regions[template.name]
        before = template.nominal.sumw.sum(axis=0)
        np.testing.assert_allclose(region.before.total, before)
        assert region.edges == tuple(template.nominal.edges.tolist())
        np.testing.assert_allclose(np.sum(list(region.after.events.values()), axis=0), region.after.total)
        assert region.observed == tuple((before.round() + 3).tolist())
        # A fit measures the sum better than independent processes would have it.
        apart = np.sqrt(np.sum(np.square(list(region.after.errors.values())), axis=0))
        assert np.all(np.asarray(region.after.total_error) < apart)
    assert observed.goodness is not None
    assert observed.goodness.n_dof == 2
    assert set(observed.prior_impacts) == set(observed.impacts)
    assert next(iter(observed.groups)) == "total"
    assert observed.scan is not None
    assert min(observed.scan.rise) == pytest.approx(0.0, abs=1e-3)
    assert observed.mu_limit_observed is not None
    assert observed.asimov == ()


def test_tables_show_totals_counts_and_goodness(observed: FitSummary) -> None:
    groups, yields = fit_tables(observed, "Simulation")
    assert groups.rows[0][0] == "total"
    counts = {row[0]: row[-1] for row in yields.rows}
    assert counts["SR"] == f"{sum(observed.regions['SR'].observed or ()):,.0f}"
    assert "Goodness of fit" in yields.caption
    assert observed.toys is not None
    assert observed.toys.goodness is not None
    assert f"goodness of fit, 10 toys: {observed.toys.goodness[0]:.2g}" in yields.caption
    blinded = full_fit(build_workspace(regions(), config()))
    _, expected = fit_tables(fit_summary(blinded, tuple(regions()), lumi_ifb=10.0), "Simulation")
    assert {row[-1] for row in expected.rows} == {"blinded"}
    assert "Goodness" not in expected.caption


def test_figures_draw_the_record(observed: FitSummary) -> None:
    pictures = {picture.name: picture for picture in fit_pictures(observed, label=LABEL, signal="VH")}
    names = ["regions_prefit", "regions_postfit", "ranking", "likelihood_scan", "normalisations"]
    assert list(pictures) == names
    after = pictures["regions_postfit"].figure.axes[0]
    points: list[Any] = [one for one in after.containers if one.get_label() == "Data"]
    drawn = points[0].lines[0].get_ydata()
    np.testing.assert_allclose(drawn, [x for r in observed.regions.values() for x in r.observed or ()])
    texts = " ".join(text.get_text() for text in after.texts + list(after.artists))
    texts += " ".join(child.txt.get_text() for child in after.get_children() if hasattr(child, "txt"))
    assert "saturated model" in texts
    # The luminosity is that of the data, not that of the card.
    assert "2.5" in texts
    assert "10" not in texts
    assert pictures["regions_prefit"].figure.axes[1].get_ylabel() == "Data / exp."
    line: Any = pictures["likelihood_scan"].figure.axes[0].lines[1]
    assert observed.scan is not None
    np.testing.assert_allclose(line.get_ydata(), np.asarray(observed.scan.rise))


def test_blinded_regions_say_so_and_have_no_points() -> None:
    report = full_fit(build_workspace(regions(), config()))
    found = fit_summary(report, tuple(regions()), lumi_ifb=10.0)
    first = next(fit_pictures(found, label=LABEL, signal="VH"))
    assert "bins are blinded: SR, CR" in first.caption
    assert not [one for one in first.figure.axes[0].containers if one.get_label() == "Data"]
