"""Tables for papers and records: LaTeX yields and HEPData submissions."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml

from znought.stats.exchange import replace_file
from znought.stats.yields import Yields

__all__ = ["latex_yields", "rounded", "write_hepdata"]

_SPECIAL = str.maketrans({"_": r"\_", "&": r"\&", "%": r"\%", "#": r"\#"})


def rounded(value: float, error: float) -> tuple[str, str]:
    """Value and error by the Particle Data Group's rule: two digits of the error up to 354, one up to 949.

    >>> rounded(0.827, 0.119), rounded(0.827, 0.367), rounded(1234.5, 96.0), rounded(3.0, 0.0)
    (('0.83', '0.12'), ('0.8', '0.4'), ('1230', '100'), ('3', '0'))
    """
    if not (np.isfinite(value) and np.isfinite(error)):
        return f"{value:g}", f"{error:g}"
    if not error > 0:
        return f"{value:.6g}", "0"
    exponent = int(np.floor(np.log10(error)))
    leading = round(error / 10.0**exponent * 100)
    digits = (1 if leading <= 354 else 0) - exponent
    if leading >= 950:
        error, digits = 10.0 ** (exponent + 1), -exponent
    return tuple(f"{round(x, digits):.{max(digits, 0)}f}" for x in (value, error))  # type: ignore[return-value]  # two items in, two out


def latex_yields(
    yields: Yields, *, bin_names: Sequence[str] | None = None, signal: Sequence[str] = ()
) -> str:
    """A booktabs table of yields ± MC-statistical error; backgrounds are summed, signals stand below.

    Args:
        yields: processes and bins.
        bin_names: column heads; by default the bins' ranges.
        signal: processes that are no part of the total background.
    """
    edges = [f"{edge:g}" for edge in yields.edges]
    ranges = [f"$[{low}, {high})$" for low, high in pairwise(edges)]
    heads = ranges if bin_names is None else [name.translate(_SPECIAL) for name in bin_names]
    backgrounds = [process for process in yields.processes if process not in signal]
    lines = [
        rf"\begin{{tabular}}{{l{'r' * len(heads)}}}",
        r"\toprule",
        " & ".join(["Process", *heads]) + r" \\",
        r"\midrule",
    ]
    lines += [_latex_row(process, *yields.total([process])) for process in backgrounds]
    lines += [r"\midrule", _latex_row("Total background", *yields.total(backgrounds))]
    lines += [
        _latex_row(process, *yields.total([process])) for process in yields.processes if process in signal
    ]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def write_hepdata(directory: Path, tables: dict[str, tuple[str, Yields]], *, discriminant: str) -> None:
    """A HEPData submission: ``submission.yaml`` and one data file per table.

    Args:
        directory: where the files go.
        tables: by table name, a description and the yields.
        discriminant: name of the independent variable.
    """
    documents: list[dict[str, object]] = [{"comment": "Expected yields of simulated events."}]
    for name, (description, yields) in tables.items():
        file = f"{name.replace(' ', '_').lower()}.yaml"
        _write_text(directory / file, yaml.safe_dump(_hepdata_table(yields, discriminant), sort_keys=False))
        documents.append({"name": name, "description": description, "keywords": [], "data_file": file})
    _write_text(directory / "submission.yaml", yaml.safe_dump_all(documents, sort_keys=False))


def _write_text(path: Path, text: str) -> None:
    replace_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _latex_row(name: str, sumw: np.ndarray, sumw2: np.ndarray) -> str:
    cells = [
        rf"${value} \pm {error}$"
        for value, error in (rounded(float(w), float(np.sqrt(w2))) for w, w2 in zip(sumw, sumw2, strict=True))
    ]
    return " & ".join([name.translate(_SPECIAL), *cells]) + r" \\"


def _hepdata_table(yields: Yields, discriminant: str) -> dict[str, object]:
    edges = yields.edges.tolist()
    ranges = [{"low": low, "high": high} for low, high in pairwise(edges)]
    dependent = []
    for i, process in enumerate(yields.processes):
        values = [
            {"value": value, "errors": [{"symerror": error, "label": "MC stat."}]}
            for value, error in zip(yields.sumw[i].tolist(), yields.errors[i].tolist(), strict=True)
        ]
        dependent.append({"header": {"name": process, "units": "events"}, "values": values})
    independent = [{"header": {"name": discriminant}, "values": ranges}]
    return {"independent_variables": independent, "dependent_variables": dependent}
