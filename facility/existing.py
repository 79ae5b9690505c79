"""The flow of an existing coffea processor: what it returns is written, and the run ends there."""

from znought.facility.flow import Flow, Stage
from znought.facility.results.output import output_tables, read_output
from znought.facility.stages import existing

__all__ = ["EXISTING"]

EXISTING = Flow(
    (
        Stage(
            "process",
            existing.process,
            ("title", "processor", "schema_name", "arguments", "datasets", "processing"),
            reads=("fileset",),
            writes=("ledger", "hists", "columns", "results"),
            inputs=existing.inputs,
            is_of_analysis=True,
            needs="process",
        ),
    ),
    (),
    read_output,
    output_tables,
)
