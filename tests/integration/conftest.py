"""One small real analysis, from Pythia to the report, that all integration tests look at."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
N_EVENTS = {"wplus_h": 300, "ggf": 1500, "vbf": 500, "ttbar": 1500, "z_tautau": 2000, "ww": 1500}


def small_card(directory: Path, **changes: Any) -> Path:
    """The shipped card with few events, two folds and a small network; `changes` replace whole sections."""
    card = yaml.safe_load((ROOT / "analyses" / "vh_ww.yaml").read_text())
    kept = {name: entry for name, entry in card["datasets"].items() if name in (*N_EVENTS, "data")}
    for name, n_events in N_EVENTS.items():
        kept[name] |= {"n_events": n_events, "n_responses": 8}
    card["datasets"] = kept
    card["processes"] = {name: entry for name, entry in card["processes"].items() if name not in ("WZ", "ZZ")}
    del card["likelihood"]["workspace"]["norms"]["theory_diboson"]
    card["network"] = {"hidden_nodes": [16, 16], "learning_rate": 0.01}
    card["training"] = {
        "n_folds": 2,
        "n_repeats": 2,
        "max_epochs": 4,
        "batch_size": 256,
        "stop_fraction": 0.2,
    }
    card["boosting"] = {"max_iter": 10}
    card["crossfit"] = {"n_bootstrap": 20}
    card["simulation"]["pseudo_data"]["lumi_ifb"] = 0.05
    card["plotting"] = {"variables": ["m_jj", "m_t"], "formats": ["png"]}
    card |= changes
    path = directory / "card.yaml"
    path.write_text(yaml.safe_dump(card))
    return path


def znought(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """The command line, in a process of its own, as a user calls it."""
    command = [sys.executable, "-m", "znought.facility.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} left with {done.returncode}:\n{done.stderr}")
    return done


@dataclass(frozen=True)
class Finished:
    """A run that went through: its card, its output directory and what it printed."""

    card: Path
    output: Path
    printed: str


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The whole flow with two workers, figures included."""
    directory = tmp_path_factory.mktemp("flow")
    card = small_card(directory)
    output = directory / "output"
    done = znought("run", card, "--output", output, "--workers", 2, "--json")
    return Finished(card, output, done.stdout + done.stderr)
