"""A small run up to its bins, as `znought run` does it, and what must come out of it on every site."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from distributed import Client

from znought.facility.cards.reading import load_with_analysis
from znought.facility.context import Context, RunOptions
from znought.facility.events.store import IDENTITY
from znought.facility.pipeline import run_stages, whole
from znought.facility.progress import Advance, Silent
from znought.facility.workspace import Workspace

__all__ = ["BARS", "Strikes", "assert_same", "flow"]

BARS = {
    "simulate": "generating events",
    "process": "processing chunks",
    "train": "training networks",
    "score": "scoring",
}
"""Stage that works on the workers → its bar."""

Strikes = Mapping[str, Callable[[], None]]
"""What happens once, at the first progress of a stage of this name, or when `STAGE begins`."""


class _Told(Silent):
    """Remembers remarks, and strikes."""

    def __init__(self, strikes: Strikes) -> None:
        self.lines: list[str] = []
        self._strikes = dict(strikes)
        self._stage = ""

    def stage(self, name: str, note: str) -> None:
        self._stage = name
        if note == "…":
            self._strikes.pop(f"{name} begins", _nothing)()

    def remark(self, text: str) -> None:
        self.lines.append(text)

    @contextmanager
    def bar(self, description: str) -> Iterator[Advance]:
        def advance(done: int, total: int, note: str) -> None:
            if BARS.get(self._stage) == description:
                self._strikes.pop(self._stage, _nothing)()

        yield advance


def _nothing() -> None:
    """No strike."""


def flow(
    card: Path,
    output: Path,
    client: Client,
    *,
    start: str | None = None,
    last: str = "optimise",
    strikes: Strikes | None = None,
    elsewhere: Mapping[str, Callable[[], Client]] | None = None,
) -> list[str]:
    """Everything up to a stage; what was said on the way.

    Args:
        card: of the run.
        output: its directory.
        client: of its cluster.
        start: the first stage that is redone whatever holds.
        last: the stage behind which it ends.
        strikes: what happens meanwhile.
        elsewhere: stage → the client of another cluster that it works on.
    """
    read, found = load_with_analysis(card)
    reporter = _Told(strikes or {})
    options = RunOptions(start=start)
    context = Context(read, Workspace(output), options, reporter, lambda: client, found, elsewhere or {})
    stages = whole(context)
    names = [stage.name for stage in stages]
    run_stages(context, stages[: names.index(last) + 1])
    return reporter.lines


def assert_same(here: Path, there: Path) -> None:
    """Counts and edges are those of another run to the last digit, scores to 1e-6.

    Files of columns are named by their input, which has another name where it was simulated anew.
    """
    for name in ("cutflow.json", "binning.json", "regions.json"):
        read = [json.loads((folder / name).read_text()) for folder in (here, there)]
        assert read[0] == read[1], name
    for kind, tolerance in (("columns", 0.0), ("scores", 1e-6)):
        folders = [_folders(output / kind) for output in (here, there)]
        assert folders[0] == folders[1]
        for folder in folders[0]:
            mine, other = (_events(output / kind / folder) for output in (here, there))
            assert mine.column_names == other.column_names
            for column in mine.column_names:
                pair = other[column].to_numpy(), mine[column].to_numpy()
                np.testing.assert_allclose(*pair, rtol=0, atol=tolerance, err_msg=f"{folder} {column}")


def _folders(parent: Path) -> list[Path]:
    """Those with parquet files below a folder."""
    return sorted({path.parent.relative_to(parent) for path in parent.rglob("*.parquet")})


def _events(folder: Path) -> pa.Table:
    """All events of a folder, in the order of their numbers."""
    table = pa.concat_tables(pq.read_table(path, partitioning=None) for path in folder.glob("*.parquet"))
    return table.sort_by([(name, "ascending") for name in IDENTITY])
