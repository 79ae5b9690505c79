"""From the referee's record to its figures."""

from collections.abc import Iterator

from znought.facility.figures.picture import Picture
from znought.facility.referee.verdicts import CheckRecord, Verdicts
from znought.plots.labels import printed_name
from znought.plots.referee import JudgedNumber, events_in_bins, judged_numbers
from znought.plots.style import FigureLabel

__all__ = ["referee_pictures"]

_SECTION = "Referee"
_ENOUGH, _FEW = 10.0, 3.0


def referee_pictures(found: Verdicts, *, label: FigureLabel, shapes: FigureLabel) -> Iterator[Picture]:
    """A figure of every check whose number has parts worth seeing.

    Args:
        found: the record.
        label, shapes: of figures in which the luminosity counts, and of others.
    """
    checks = {check.name: check for check in found.checks if check.parts}
    if (check := checks.get("events behind the bins")) is not None:
        bins = {name: (value or 0.0, share or 0.0) for name, (value, share) in check.parts.items()}
        figure = events_in_bins(bins, enough=_ENOUGH, few=_FEW, label=label)
        yield Picture("referee_bins", "Generated events behind the bins", _SECTION, figure, _caption(check))
    if (check := checks.get("seen less unseen")) is not None:
        yield _seen(check, shapes)
    if (check := checks.get("constraints earned")) is not None:
        yield _constraints(check, shapes)
    if (check := checks.get("slope of a background")) is not None:
        yield _slopes(check, label)
    if (check := checks.get("injected signal")) is not None:
        yield _injected(check, label)
    if (check := checks.get("stability")) is not None:
        yield _stability(check, label)


def _seen(check: CheckRecord, label: FigureLabel) -> Picture:
    kinds = ("as stored", "if seen", "test events")
    groups = {
        kind: [
            JudgedNumber(printed_name(name.removesuffix(f", {kind}")), value or 0.0, error or 0.0)
            for name, (value, error) in check.parts.items()
            if name.endswith(f", {kind}")
        ]
        for kind in kinds
    }
    quantity = "Mean score of the own class less that of networks that have not seen the events"
    figure = judged_numbers(groups, quantity=quantity, label=label, centre=0.0)
    return Picture("referee_seen", "What networks remember", _SECTION, figure, _caption(check))


def _constraints(check: CheckRecord, label: FigureLabel) -> Picture:
    groups = {
        "fit": [JudgedNumber(printed_name(name), value or 0.0) for name, (value, _) in check.parts.items()],
        "strongest of the replicas": [
            JudgedNumber(printed_name(name), lowest or 0.0) for name, (_, lowest) in check.parts.items()
        ],
    }
    figure = judged_numbers(
        groups, quantity="Post-fit over prior error", label=label, band=(0.9, 1.05), centre=1.0
    )
    title = "Constraints beside those of noise"
    return Picture("referee_constraints", title, _SECTION, figure, _caption(check))


def _slopes(check: CheckRecord, label: FigureLabel) -> Picture:
    numbers = [
        JudgedNumber(printed_name(name), value or 0.0)
        for name, (value, _) in check.parts.items()
        if not name.endswith(", data")
    ]
    figure = judged_numbers(
        {"slope of +50 %": numbers},
        quantity=r"$\Delta\mu\,/\,\sigma_\mu$",
        label=label,
        band=(-0.3, 0.3),
        centre=0.0,
    )
    return Picture("referee_slopes", "Slopes of backgrounds", _SECTION, figure, _caption(check))


def _injected(check: CheckRecord, label: FigureLabel) -> Picture:
    numbers = [
        JudgedNumber(f"$\\mu$ = {name}", (value or 0.0) - float(name), error or 0.0)
        for name, (value, error) in check.parts.items()
    ]
    quantity = r"Fitted less injected $\mu$"
    figure = judged_numbers({"Asimov data": numbers}, quantity=quantity, label=label, centre=0.0)
    return Picture("referee_injected", "Injected signals", _SECTION, figure, _caption(check))


def _stability(check: CheckRecord, label: FigureLabel) -> Picture:
    numbers = [JudgedNumber(name, value or 0.0, error or 0.0) for name, (value, error) in check.parts.items()]
    centre = numbers[0].value
    figure = judged_numbers(
        {"held-out": numbers}, quantity="Expected significance $Z_0$", label=label, centre=centre
    )
    return Picture("referee_stability", "Other seeds and repeats", _SECTION, figure, _caption(check))


def _caption(check: CheckRecord) -> str:
    return f"{check.name}, {check.verdict}: {check.measured}."
