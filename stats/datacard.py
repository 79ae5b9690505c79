"""The workspace as a text card with a ROOT file of shapes, as CMS' Combine reads them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import uproot
from numpy.typing import NDArray

from znought.errors import DataError
from znought.stats.exchange import replace_file
from znought.stats.mcstat import effective_events
from znought.stats.workspace import Spec, asimov_channels, checked_spec

__all__ = ["write_datacard"]

Floats = NDArray[np.float64]
_KNOWN = {"normfactor", "normsys", "histosys", "staterror", "shapesys"}


@dataclass(frozen=True)
class _Column:
    """One process in one region, with its effects in Combine's terms."""

    region: str
    process: str
    is_signal: bool
    nominal: Floats
    errors: Floats
    poisson: NDArray[np.bool_]
    """Bins where the MC statistics of this process have a factor of their own."""
    floating: str | None
    norms: dict[str, tuple[float, float]] = field(default_factory=dict)
    shapes: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)


def write_datacard(path: Path, spec: Spec) -> None:
    """Write ``path`` and, beside it, ``<stem>_shapes.root``.

    A systematic with a shape is written as templates that carry its norm, too; one with a norm
    alone as lnN. Floating normalisations become rateParams, MC statistics autoMCStats. Where ``data_obs`` is
    the expectation and no recorded data, a comment of the card and the histogram's title say so.

    Raises:
        DataError: a modifier that the card has no word for, one that stands twice, or a name with a space.
    """
    checked_spec(spec)
    asimov = asimov_channels(spec)
    columns = list(_columns(spec))
    observed = {
        entry["name"]: np.asarray(entry["data"], dtype=np.float64) for entry in _list(spec, "observations")
    }
    _refuse_spaces(columns)
    shapes = path.with_name(f"{path.stem}_shapes.root")
    replace_file(shapes, lambda temporary: _write_shapes(temporary, columns, observed, asimov))
    text = "\n".join([*_origin(asimov), *_lines(columns, observed, shapes.name)]) + "\n"
    replace_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _columns(spec: Spec) -> Iterator[_Column]:
    for channel in _list(spec, "channels"):
        for sample in channel["samples"]:
            modifiers = {(entry["type"], entry["name"]): entry["data"] for entry in sample["modifiers"]}
            unknown = {kind for kind, _ in modifiers} - _KNOWN
            if unknown:
                raise DataError(f"the text card has no word for the modifier {sorted(unknown)[0]!r}.")
            names = [name for kind, name in modifiers if kind == "normfactor"]
            floating = next((name for name in names if name != "mu"), None)
            nominal = np.asarray(sample["data"], dtype=np.float64)
            common, own = (
                next(
                    (np.asarray(data) for (type_, _), data in modifiers.items() if type_ == kind), 0 * nominal
                )
                for kind in ("staterror", "shapesys")
            )
            column = _Column(
                channel["name"],
                sample["name"],
                "mu" in names,
                nominal,
                np.hypot(common, own),
                own > 0,
                floating,
            )
            for (kind, name), data in modifiers.items():
                _add_effect(column, kind, name, data)
            yield column


def _add_effect(column: _Column, kind: str, name: str, data: Any) -> None:
    """Shapes absorb the norm of the same name, whichever of the two comes first."""
    if kind == "normsys":
        if name in column.shapes:
            down, up = column.shapes[name]
            column.shapes[name] = (data["lo"] * down, data["hi"] * up)
        else:
            column.norms[name] = (data["lo"], data["hi"])
    elif kind == "histosys":
        low, high = column.norms.pop(name, (1.0, 1.0))
        column.shapes[name] = (low * np.asarray(data["lo_data"]), high * np.asarray(data["hi_data"]))


def _origin(asimov: Sequence[str]) -> list[str]:
    """Comments on where ``data_obs`` comes from."""
    return [f"# data_obs in {name}: Asimov, the expectation at mu = 1, no recorded data" for name in asimov]


def _refuse_spaces(columns: list[_Column]) -> None:
    """The card's columns are separated by spaces."""
    for column in columns:
        for name in (column.region, column.process, *column.norms, *column.shapes):
            if not name or any(character.isspace() for character in name):
                raise DataError(f"the text card allows no space in a name. Received: {name!r}.")


def _write_shapes(
    path: Path, columns: list[_Column], observed: dict[str, Floats], asimov: Sequence[str]
) -> None:
    with uproot.recreate(path) as file:
        for region, counts in observed.items():
            title = "Asimov data (expected, not recorded)" if region in asimov else "observed data"
            file[f"{region}/data_obs"] = _histogram(counts, counts, title)
        for column in columns:
            base = f"{column.region}/{column.process}"
            file[base] = _histogram(column.nominal, column.errors**2)
            for name, (down, up) in column.shapes.items():
                file[f"{base}_{name}Down"] = _histogram(down, column.errors**2)
                file[f"{base}_{name}Up"] = _histogram(up, column.errors**2)


def _histogram(values: Floats, variances: Floats, title: str = "") -> Any:
    padded = [np.pad(np.asarray(x, dtype=np.float64), 1) for x in (values, variances)]
    edges = np.arange(values.size + 1.0)
    return uproot.writing.identify.to_TH1x(
        fName=None,
        fTitle=title,
        data=padded[0],
        fEntries=float(values.sum()),
        fTsumw=float(values.sum()),
        fTsumw2=float(variances.sum()),
        fTsumwx=0.0,
        fTsumwx2=0.0,
        fSumw2=padded[1],
        fXaxis=uproot.writing.identify.to_TAxis(
            fName="xaxis", fTitle="bin", fNbins=values.size, fXmin=0.0, fXmax=float(values.size), fXbins=edges
        ),
    )


def _lines(columns: list[_Column], observed: dict[str, Floats], shapes: str) -> Iterator[str]:
    names = sorted({name for column in columns for name in (*column.norms, *column.shapes)})
    rule = "-" * 40
    yield f"imax {len(observed)}"
    yield "jmax *"
    yield "kmax *"
    yield rule
    yield f"shapes * * {shapes} $CHANNEL/$PROCESS $CHANNEL/$PROCESS_$SYSTEMATIC"
    yield rule
    yield _row("bin", observed)
    yield _row("observation", [f"{counts.sum():.9g}" for counts in observed.values()])
    yield rule
    index = _process_index(columns)
    yield _row("bin", [column.region for column in columns])
    yield _row("process", [column.process for column in columns])
    yield _row("process", [str(index[column.process]) for column in columns])
    yield _row("rate", [f"{column.nominal.sum():.9g}" for column in columns])
    yield rule
    for name in names:
        kind = "shape" if any(name in column.shapes for column in columns) else "lnN"
        yield _row(
            f"{name} {kind + '?' * _mixed(name, columns)}", [_cell(name, column) for column in columns]
        )
    for column in columns:
        if column.floating:
            yield f"{column.floating} rateParam {column.region} {column.process} 1 [0,10]"
    for region, threshold in _thresholds(columns).items():
        yield f"{region} autoMCStats {threshold}"


def _thresholds(columns: list[_Column]) -> dict[str, int]:
    """By region, effective events up to which Combine gives every process factors of its own, as here."""
    found = {}
    for region in dict.fromkeys(column.region for column in columns):
        backgrounds = [c for c in columns if c.region == region and not c.is_signal]
        poisson = np.any([c.poisson for c in columns if c.region == region], axis=0)
        total = np.sum([c.nominal for c in backgrounds], axis=0)
        events = effective_events(total, np.sum([c.errors**2 for c in backgrounds], axis=0))
        found[region] = int(np.ceil(events[poisson].max(initial=0.0) - 1e-9))
    return found


def _mixed(name: str, columns: list[_Column]) -> bool:
    """Combine's "shape?": a template where there is one, lnN elsewhere."""
    return any(name in column.shapes for column in columns) and any(
        name in column.norms for column in columns
    )


def _cell(name: str, column: _Column) -> str:
    if name in column.shapes:
        return "1"
    if name in column.norms:
        low, high = column.norms[name]
        return f"{low:.6g}/{high:.6g}"
    return "-"


def _process_index(columns: list[_Column]) -> dict[str, int]:
    """Combine's numbers: zero and below for signals, above zero for backgrounds."""
    signals = list(dict.fromkeys(column.process for column in columns if column.is_signal))
    backgrounds = list(dict.fromkeys(column.process for column in columns if not column.is_signal))
    numbers = {process: -i for i, process in enumerate(signals)}
    return numbers | {process: i + 1 for i, process in enumerate(backgrounds)}


def _row(head: str, cells: Any) -> str:
    return " ".join([f"{head:<24}", *(f"{cell:>14}" for cell in cells)])


def _list(spec: Spec, key: str) -> list[dict[str, Any]]:
    entries = spec[key]
    if not isinstance(entries, list):
        raise DataError(f"{key} of the workspace must be a list.")
    return entries
