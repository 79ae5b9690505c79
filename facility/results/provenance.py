"""How a result came about: program, analysis, card, files, luminosity, substitutes and what was left out."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from platform import python_version
from typing import Any

import yaml

from znought import __version__
from znought.facility.results.ledger import DatasetAccount, Ledger
from znought.facility.workspace import read_json
from znought.plots.report import LAST, ReportDocument, ReportTable

__all__ = ["card_document", "commit_of", "provenance_tables"]

_SECONDS = 10.0


def provenance_tables(
    ledger: Ledger, manifest: Path, *, analysis: str, folder: Path, lumi_ifb: float
) -> tuple[ReportTable, ...]:
    """Tables of the report's last heading.

    Args:
        ledger: of what was read.
        manifest: of the output directory.
        analysis: its name.
        folder: where the card stands.
        lumi_ifb: that simulation is scaled to.
    """
    stages = read_json(manifest)["stages"] if manifest.exists() else {}
    return (
        _origin(ledger, stages, analysis=analysis, folder=folder, lumi_ifb=lumi_ifb),
        _inputs(ledger),
        _stages(stages),
    )


def card_document(manifest: Path, own: Mapping[str, Any]) -> ReportDocument:
    """The card as the stages have read it, defaults filled in.

    Args:
        manifest: of the output directory.
        own: sections that the stage at work reads itself.
    """
    sections: dict[str, Any] = {}
    if manifest.exists():
        for stage in read_json(manifest)["stages"].values():
            sections |= stage["section"]
    text = yaml.safe_dump(sections | dict(own), sort_keys=True, allow_unicode=True)
    return ReportDocument("The card, with every default", "card.yaml", text)


def commit_of(folder: Path) -> str | None:
    """Commit of the git checkout of a folder, and whether files differ from it; None outside of one."""
    git = shutil.which("git")
    if git is None or not folder.is_dir():
        return None

    def asked(*words: str) -> str | None:
        command = [git, "-C", str(folder), *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = asked("rev-parse", "HEAD")
    changed = asked("status", "--porcelain", "--untracked-files=no", "--", ".")
    return commit if not commit or not changed else f"{commit}, with changes that are not committed"


def _origin(
    ledger: Ledger, stages: Mapping[str, Any], *, analysis: str, folder: Path, lumi_ifb: float
) -> ReportTable:
    """Program, analysis and luminosity."""
    versions: dict[str, set[str]] = {}
    for stage in stages.values():
        for name, version in stage["versions"].items():
            versions.setdefault(name, set()).add(version)
    used = ", ".join(f"{name} {' and '.join(sorted(found))}" for name, found in sorted(versions.items()))
    data = "no data" if ledger.data_lumi_ifb is None else f"data {ledger.data_lumi_ifb:.4g} fb⁻¹"
    rows = (
        ("analysis", analysis),
        ("commit", commit_of(folder) or "not in a git checkout"),
        ("drawn with", f"znought {__version__}, Python {python_version()}"),
        ("computed with", used or "unknown"),
        ("luminosity", f"simulation scaled to {lumi_ifb:g} fb⁻¹; {data}"),
        ("rounds of reading", str(ledger.rounds)),
    )
    return ReportTable("How this page came about", ("what", "which"), rows, is_prose=True, section=LAST)


def _inputs(ledger: Ledger) -> ReportTable:
    """Every dataset with what was read of it, what stood in for something, and what was left out."""
    rows = tuple(_input(name, entry) for name, entry in ledger.datasets.items())
    caption = "Substitutes: inputs that a format lacks, and what stands for them. Left out: files and why."
    header = ("dataset", "files", "events", "luminosity", "substitutes", "left out")
    return ReportTable("What was read", header, rows, caption, is_prose=True, section=LAST)


def _input(name: str, entry: DatasetAccount) -> tuple[str, ...]:
    lumi = entry.analysed_lumi_ifb if entry.analysed_lumi_ifb is not None else entry.lumi_ifb
    left = [f"{lost.path} ({lost.reason})" for lost in entry.files_lost]
    if entry.partial is not None:
        left.append(f"all but {entry.partial.share:.0%} of {entry.partial.files_listed} files, as asked")
    return (
        name,
        f"{entry.files:,}",
        f"{entry.events:,}",
        "–" if lumi is None else f"{lumi:.4g} fb⁻¹",
        "; ".join(f"{one} for {what}" for what, one in entry.substitutes.items()) or "–",
        "; ".join(left) or "–",
    )


def _stages(stages: Mapping[str, Any]) -> ReportTable:
    """How long each stage took, and the fingerprint of all that decided it."""
    rows = tuple(
        (name, f"{found['seconds']:.0f} s", found["fingerprint"][:16]) for name, found in stages.items()
    )
    caption = (
        "Fingerprint: of card sections, content of what is read, and code; `manifest.json` holds all of it."
    )
    return ReportTable("Stages", ("stage", "time", "fingerprint"), rows, caption, section=LAST)
