"""The output directory: where each stage finds what came before and leaves what comes next."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from znought.errors import DataError

__all__ = ["Workspace", "atomic_path", "read_json", "write_json", "write_text"]


@dataclass(frozen=True)
class Workspace:
    """Names of everything below one output directory."""

    directory: Path

    @property
    def ntuples(self) -> Path:
        """Simulated ROOT files, a folder per dataset."""
        return self.directory / "ntuples"

    @property
    def fileset(self) -> Path:
        """Which files make up each dataset."""
        return self.directory / "fileset.json"

    @property
    def efficiencies(self) -> Path:
        """Efficiencies of b-tags and triggers, a correctionlib file for each weight that takes them."""
        return self.directory / "efficiencies"

    @property
    def columns(self) -> Path:
        """Features of the selected events, parquet by dataset and variation."""
        return self.directory / "columns"

    @property
    def normalisation(self) -> Path:
        """Scale from generator weight to expected events, per dataset."""
        return self.columns / "normalisation.json"

    @property
    def substitutes(self) -> Path:
        """Inputs that a format lacks, and what stands for them, per dataset."""
        return self.columns / "substitutes.json"

    @property
    def fake_leptons(self) -> Path:
        """Fake factors, and how well they do in simulation and validation regions."""
        return self.directory / "fake_leptons.json"

    @property
    def cutflow(self) -> Path:
        """Raw and weighted events after each cut, per process."""
        return self.directory / "cutflow.json"

    @property
    def ledger(self) -> Path:
        """Files and events read and left out, per dataset, and the luminosity of the data."""
        return self.directory / "ledger.json"

    @property
    def regions(self) -> Path:
        """What the cuts of each region leave and remove; tables stand beside it."""
        return self.directory / "regions.json"

    @property
    def validation(self) -> Path:
        """Inputs in data and simulation, with what breaks a limit."""
        return self.directory / "validation.json"

    @property
    def hists(self) -> Path:
        """Histograms of the inputs."""
        return self.directory / "hists"

    @property
    def models(self) -> Path:
        """K networks with their scalers, and the boosted trees beside them."""
        return self.directory / "models"

    @property
    def scores(self) -> Path:
        """Network outputs, the same rows as the columns."""
        return self.directory / "scores"

    @property
    def explanation(self) -> Path:
        """Importance of the inputs to the networks."""
        return self.directory / "explanation.json"

    @property
    def boosted(self) -> Path:
        """Scores of the boosted trees, the same rows again."""
        return self.directory / "scores_boosting"

    @property
    def binning(self) -> Path:
        """Edges and significances of each way of binning."""
        return self.directory / "binning.json"

    @property
    def evaluation(self) -> Path:
        """Areas under the ROC curves, and how much simulation stands behind each class."""
        return self.directory / "evaluation.json"

    @property
    def significance(self) -> Path:
        """Areas, significances and projections, before limits are set."""
        return self.directory / "significance.json"

    @property
    def replicates(self) -> Path:
        """Significances on resampled events, by which two results are compared."""
        return self.directory / "replicates.json"

    @property
    def results(self) -> Path:
        """The numbers of the analysis."""
        return self.directory / "results.json"

    @property
    def referee(self) -> Path:
        """Every check of the referee with its verdict."""
        return self.directory / "referee.json"

    @property
    def fit(self) -> Path:
        """The likelihood for other programs: pyhf, Combine, ROOT and LaTeX."""
        return self.directory / "fit"

    @property
    def unblinding(self) -> Path:
        """Every time that data were shown, one line each, never rewritten."""
        return self.directory / "unblinding.jsonl"

    @property
    def search(self) -> Path:
        """Trials of `tune`, and the network that it found."""
        return self.directory / "search"

    @property
    def exported(self) -> Path:
        """Events in the layout of other programs."""
        return self.directory / "export"

    @property
    def displays(self) -> Path:
        """Figures of single events, as `znought display` draws them."""
        return self.directory / "displays"

    @property
    def figures(self) -> Path:
        """Figures as PDF, PNG and SVG, the numbers drawn as JSON, histograms as UHI."""
        return self.directory / "figures"

    @property
    def report(self) -> Path:
        """One page with all of it."""
        return self.directory / "report.html"

    @property
    def metrics(self) -> Path:
        """Time, memory and bytes of every stage and worker, when each stage last ran."""
        return self.directory / "metrics.json"

    @property
    def manifest(self) -> Path:
        """Which stage made what, from which inputs."""
        return self.directory / "manifest.json"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that becomes `path` when the block ends well, and goes otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    # Unlike `mkstemp`, whose files are private whatever the umask says.
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Writes strict JSON (no NaN) whole or not at all."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes a text whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        DataError: the file is missing or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: run the stage that writes it first.") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path} is not valid JSON (line {error.lineno}): {error.msg}.") from error
