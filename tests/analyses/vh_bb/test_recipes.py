"""VH(bb) recipes: which exist, what they write, and weights that survive shower and detector."""

from pathlib import Path

import numpy as np
import pytest

from znought.analyses.vh_bb import matrix_element
from znought.analyses.vh_bb.analysis import ANALYSIS
from znought.analyses.vh_bb.recipes import RECIPES, smeft_weights

pytest.importorskip("pythia8mc")
pytest.importorskip("fastjet")
uproot = pytest.importorskip("uproot")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pythia8mc")


def test_every_recipe_is_the_analysiss_and_only_signals_carry_weights() -> None:
    assert ANALYSIS.recipes is RECIPES
    for name, entry in ANALYSIS.recipes.items():
        assert entry.name == name
        assert (entry.weigher is not None) == entry.name.startswith(("zh_", "wh_"))
        assert entry.skim == "bb"


def test_weights_stand_in_the_file_beside_the_events(tmp_path: Path) -> None:
    from znought.simulation.config import PseudoDataConfig, SimulationConfig
    from znought.simulation.jobs import SampleRequest, plan, run_job

    config = SimulationConfig(pseudo_data=PseudoDataConfig(enabled=False))
    (job,) = plan([SampleRequest("zh", "VH", RECIPES["zh_nunubb_high"], 40, 2)], config)
    run_job(job, str(tmp_path))
    with uproot.open(tmp_path / "zh" / "zh_0000.root") as file:
        names = [f"SMEFTWeight_{i}" for i in range(6)]
        rows = file["Events"].arrays(["event", *names], library="np")
    np.testing.assert_allclose(rows["SMEFTWeight_0"], 1.0)
    # pT(V) > 250 GeV: c̄_HW = 0.01 makes several times as many events, and −0.01 changes them too.
    assert rows["SMEFTWeight_1"].mean() > 2.0
    assert not np.allclose(rows["SMEFTWeight_1"], rows["SMEFTWeight_2"])
    for event in np.unique(rows["event"]):
        assert np.ptp(rows["SMEFTWeight_1"][rows["event"] == event]) == 0.0


def test_weights_are_those_of_the_hard_process() -> None:
    from znought.analyses.vh_bb.hard_process import Legs, stack

    beam = 300.0
    legs = Legs(
        (
            (beam, 0.0, 0.0, beam),
            (beam, 0.0, 0.0, -beam),
            (150.0, 120.0, 0.0, 90.0),
            (140.0, 112.0, 84.0, 0.0),
        ),
        (2, -2, 12, -12),
    )
    made = smeft_weights([legs, legs])
    np.testing.assert_allclose(
        np.stack(list(made.values()), axis=1), matrix_element.reference_weights(stack([legs, legs]))
    )
