"""Two results as tables and as one page with their figures side by side."""

from collections.abc import Iterator
from pathlib import Path

from znought.facility.comparing.record import CardDifference, Comparison, NumberPair
from znought.facility.workspace import Workspace, read_json
from znought.plots.report import ReportFigure, ReportHead, ReportTable, reduced_picture, write_report
from znought.plots.style import FigureLabel

__all__ = ["comparison_tables", "write_comparison"]

_LONGEST = 40
_HIGHLIGHTS = 6
_FIRST = ("z0.", "fit.mu", "fit.z0")


def comparison_tables(found: Comparison, most: int | None = None) -> tuple[ReportTable, ...]:
    """Numbers, yields and keys of the cards that differ.

    Args:
        found: the comparison.
        most: rows of each table; None for all.
    """
    return (
        *([_significances(found)] if found.significances else []),
        *([_numbers(found, most)] if found.numbers else []),
        *([_yields(found)] if found.yields else []),
        *([_cards(found, most)] if found.cards else []),
    )


def write_comparison(path: Path, found: Comparison) -> Path:
    """Writes the page and returns its path."""
    sides = [(name, Workspace(Path(name)).figures) for name in (found.first, found.second)]
    figures = [
        ReportFigure(f"{_title(folder, name)}, {side}", reduced_picture(folder / f"{name}.png"))
        for name in found.figures
        for side, folder in sides
    ]
    alone = [
        (f"{len(names):,}", f"figures in {side} alone: {', '.join(names)}")
        for side, names in ((found.first, found.only_first), (found.second, found.only_second))
        if names
    ]
    head = ReportHead(
        title=f"{found.first} and {found.second}",
        label=FigureLabel(label="Two results side by side", energy_tev=None),
        highlights=(
            *_differences(found),
            (f"{len(found.numbers):,}", f"numbers differ, {found.n_equal:,} are the same"),
            (f"{len(found.cards):,}", "keys of the cards differ"),
            *alone,
        ),
    )
    return write_report(path, head=head, tables=comparison_tables(found), figures=figures)


def _title(folder: Path, name: str) -> str:
    """Title of a figure as its report has it, its name where that was not kept."""
    kept = folder / f"{name}.json"
    return str(read_json(kept).get("title", name)) if kept.is_file() else name


def _differences(found: Comparison) -> Iterator[tuple[str, str]]:
    """What differs in the significances, as a reader wants it first."""
    for one in found.significances[:_HIGHLIGHTS]:
        pairing = "not paired" if one.unpaired else "paired"
        yield (
            f"{one.difference:+.2f} [{one.interval[0]:+.2f}, {one.interval[1]:+.2f}]".replace("-", "−"),
            f"{one.quantity}, {one.title}: second less first, {one.level:.0%}, {pairing}",
        )


def _significances(found: Comparison) -> ReportTable:
    rows = tuple(
        (
            one.title,
            f"{one.first:.3f}",
            f"{one.second:.3f}",
            f"{one.difference:+.3f} [{one.interval[0]:+.3f}, {one.interval[1]:+.3f}]",
        )
        for one in found.significances
    )
    header = (found.significances[0].quantity, "first", "second", "difference")
    return ReportTable("Expected significance", header, rows, " ".join(_pairing(found)))


def _pairing(found: Comparison) -> Iterator[str]:
    """What is paired in the differences of significances, and what is not."""
    one = found.significances[0]
    if one.unpaired:
        yield f"Not paired: {one.unpaired}. The interval is that of independent results."
    else:
        yield "Paired: the bootstrap draws the same generated events in both."
    if found.trained_apart is None:
        yield f"Intervals of {one.level:.0%}."
        return
    if not found.trained_apart:
        yield "Networks and trees are the same in both: no chance of training is between them."
    else:
        yield (
            "Networks and trees were trained apart: chance in the two trainings is independent, and pairs "
            "nothing."
        )
    if one.with_training:
        yield f"Intervals of {one.level:.0%} hold the chance of training, by the repeats of the folds."
    else:
        yield f"Intervals of {one.level:.0%} do not hold the chance of training."


def _numbers(found: Comparison, most: int | None) -> ReportTable:
    # Entries of lists, ends of intervals among them, would bury the rest; results come first.
    single = [one for one in found.numbers if not one.name.endswith("]")]
    shown = sorted(single, key=lambda one: not one.name.startswith(_FIRST))[:most]
    caption = f"{found.n_equal:,} numbers are the same."
    if len(shown) < len(found.numbers):
        caption += f" {len(found.numbers) - len(shown):,} more differ: --json has all of them."
    caption += " Brackets: 68 % intervals of each, which are no errors of the difference."
    if not found.significances:
        caption += " No bootstrap of a significance stands in both: differences are not paired."
    header = ("number", "first", "second", "difference")
    return ReportTable("Numbers that differ", header, tuple(_number(one) for one in shown), caption)


def _number(one: NumberPair) -> tuple[str, ...]:
    ends = one.intervals or (None, None)
    values = (_value(one.first, ends[0]), _value(one.second, ends[1]))
    return (one.name, *values, "–" if one.difference is None else f"{one.difference:+.4g}")


def _value(value: float | None, ends: tuple[float, float] | None) -> str:
    if value is None:
        return "–"
    return f"{value:.5g}" + ("" if ends is None else f" [{ends[0]:.4g}, {ends[1]:.4g}]")


def _yields(found: Comparison) -> ReportTable:
    rows = tuple(
        (
            one.dataset,
            f"{one.first:,.2f}",
            f"{one.second:,.2f}",
            f"{one.difference:+,.3g} ± {one.error:,.2g}",
            f"{one.common:,}",
        )
        for one in found.yields
    )
    caption = (
        "Expected events after the preselection, data as counts; the error of the difference is that of the "
        "generated events in which the two differ."
    )
    if others := [one.dataset for one in found.yields if one.is_other]:
        caption += f" Events of equal numbers are other events in {', '.join(others)}: independent errors."
    header = ("dataset", "first", "second", "difference", "common events")
    return ReportTable("Events", header, rows, caption, section="Yields")


def _cards(found: Comparison, most: int | None) -> ReportTable:
    rows = tuple(_key(one) for one in found.cards[:most])
    more = len(found.cards) - len(rows)
    caption = f"{more:,} more differ." if more else ""
    return ReportTable("Cards", ("key", "first", "second"), rows, caption, is_prose=True, section="Cards")


def _key(one: CardDifference) -> tuple[str, str, str]:
    return one.key, _short(one.first), _short(one.second)


def _short(value: object) -> str:
    text = "–" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
