"""The numbers of an output directory that are frozen, and how they are compared.

`python -m tests.golden.frozen OUTPUT FILE` freezes them anew: only together with a line in the changelog
that says why each of them changed.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

__all__ = ["GOLDEN", "differences", "frozen"]

GOLDEN = Path(__file__).parent
FILES = ("cutflow.json", "regions.json", "columns/normalisation.json", "binning.json", "results.json")
# Words, and numbers that follow from others in the same file.
LEFT_OUT = {"notes", "label", "title", "published_z0", "selections", "substitutes", "source", "replicates"}
IDENTITY = {"run", "luminosityBlock", "event", "response", "fold"}


def frozen(output: Path) -> dict[str, Any]:
    """Every number of the result files, and sums over every column of the events."""
    found: dict[str, Any] = {
        name: _numbers(json.loads((output / name).read_text())) for name in FILES if (output / name).exists()
    }
    for kind in ("columns", "scores", "scores_boosting"):
        for file in sorted((output / kind).rglob("*.parquet")):
            place = "/".join(file.relative_to(output).parts[:-1])
            sums = found.setdefault(place, {"rows": 0})
            table = pq.read_table(file)
            sums["rows"] += table.num_rows
            for name in table.column_names:
                if name not in IDENTITY:
                    values = table.column(name).to_numpy().astype(np.float64)
                    sums[name] = sums.get(name, 0.0) + float(np.nansum(values))
    return found


def _numbers(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _numbers(value) for key, value in content.items() if key not in LEFT_OUT}
    return [_numbers(value) for value in content] if isinstance(content, list) else content


def differences(expected: Any, found: Any, *, rtol: float, place: str = "") -> Iterator[str]:
    """Every number that differs by more than a relative tolerance, by its place; new keys are none."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            if not isinstance(found, dict) or key not in found:
                yield f"{place}/{key}: gone"
            else:
                yield from differences(value, found[key], rtol=rtol, place=f"{place}/{key}")
    elif isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            yield f"{place}: {len(expected)} entries expected"
            return
        for i, (one, two) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, two, rtol=rtol, place=f"{place}[{i}]")
    elif isinstance(expected, float) and isinstance(found, int | float):
        if abs(expected - found) > rtol * max(abs(expected), 1e-9):
            yield f"{place}: {expected} expected, {found} found"
    elif expected != found:
        yield f"{place}: {expected!r} expected, {found!r} found"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(frozen(Path(sys.argv[1])), indent=0, sort_keys=True) + "\n")
