"""`znought metrics`: what the stages of an output directory cost."""

from pathlib import Path
from typing import Annotated

import typer

from znought.facility.terminal import voice

__all__ = ["show_metrics"]


def show_metrics(
    output: Annotated[Path, typer.Argument(metavar="DIR", help="Output directory of a run.")] = Path(
        "output"
    ),
    stage: Annotated[str | None, typer.Option("--stage", help="One stage, worker by worker.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print metrics.json instead.")] = False,
) -> None:
    """Time, memory and bytes of every stage and worker, when each stage last ran."""
    from znought.errors import CardError, unknown_name
    from znought.facility.metrics.record import read_metrics
    from znought.facility.metrics.shown import metrics_tables, worker_table
    from znought.facility.workspace import Workspace

    path = Workspace(output).metrics
    metrics = read_metrics(path)
    if as_json:
        typer.echo(path.read_text(encoding="utf-8"))
        return
    if stage is not None and stage not in metrics.stages:
        raise CardError(f"--stage: {unknown_name('stage', stage, metrics.stages)}")
    voice.show(metrics_tables(metrics) if stage is None else (worker_table(stage, metrics.stages[stage]),))
