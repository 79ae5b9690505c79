"""Templates and their likelihood in the formats of other programs."""

from pathlib import Path

from znought.facility.workspace import write_json
from znought.stats.exchange import replace_file, write_root, write_uhi, write_workspace
from znought.stats.formats.card_writer import write_datacard
from znought.stats.hs3 import write_hs3
from znought.stats.spec import Spec
from znought.stats.tables import latex_yields, write_hepdata
from znought.stats.treatment import TreatedTemplates

__all__ = ["write_likelihood", "write_templates"]


def write_likelihood(folder: Path, spec: Spec) -> None:
    """Writes a likelihood as pyhf workspace, as HS3 and as a text card of Combine."""
    write_workspace(folder / "workspace.json", spec)
    write_hs3(folder / "hs3.json", spec)
    write_datacard(folder / "datacard.txt", spec)


def write_templates(
    folder: Path, treated: TreatedTemplates, *, signal: tuple[str, ...], discriminant: str
) -> None:
    """Writes templates as ROOT and UHI, yields as LaTeX and HEPData, and what became of each systematic.

    Args:
        folder: of the files.
        treated: templates of every region.
        signal: processes that stand apart in the table.
        discriminant: what is binned, in words.
    """
    regions = treated.regions
    write_root(folder / "templates.root", regions)
    write_uhi(folder / "templates.json", regions)
    table = latex_yields(regions[0].nominal, signal=signal)
    replace_file(folder / "yields.tex", lambda path: path.write_text(table, encoding="utf-8"))
    tables = {region.name: (f"Expected events, {region.name}", region.nominal) for region in regions}
    write_hepdata(folder / "hepdata", tables, discriminant=discriminant)
    write_json(folder / "systematics.json", [record.to_dict() for record in treated.records])
