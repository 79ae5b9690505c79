"""The search as its users start it, on the columns of a finished run."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.conftest import Finished, small_card, znought
from znought.facility.cards.reading import load_with_analysis

pytestmark = pytest.mark.timeout(600)


def test_the_best_settings_stand_in_sections_for_the_card(finished: Finished, tmp_path: Path) -> None:
    training = yaml.safe_load(finished.card.read_text())["training"] | {"search_fraction": 0.2}
    search: dict[str, Any] = {"n_trials": 3, "min_epochs": 1, "max_epochs": 3, "trees": {"n_trials": 2}}
    card, output = small_card(tmp_path, training=training, search=search), tmp_path / "output"
    shutil.copytree(finished.output, output)
    done = znought("tune", card, "--output", output, "--workers", 2)
    assert "sections for the card in" in done.stderr
    searched = json.loads((output / "search" / "trials.json").read_text())
    assert [trial["number"] for trial in searched["trials"]] == [0, 1, 2]
    complete = [trial["value"] for trial in searched["trials"] if trial["state"] == "complete"]
    assert 0.4 < max(complete) == searched["best"]["value"] < 1.0
    found = yaml.safe_load((output / "search" / "network.yaml").read_text())
    assert set(found) == {"network", "boosting", "training"}
    # The sections go into the card as they are.
    load_with_analysis(small_card(tmp_path, **found | {"training": training}))
