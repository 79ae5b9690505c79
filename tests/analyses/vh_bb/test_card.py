"""The card of VH(bb): what it refuses, and in which words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from znought.analyses.vh_bb.card import VHBBCard
from znought.errors import CardError
from znought.facility.cards.reading import load_card

SHIPPED = Path(__file__).parents[3] / "analyses" / "vh_bb_smeft.yaml"
Edit = Callable[[dict[str, Any]], object]


def _edited(tmp_path: Path, edit: Edit) -> Path:
    content = yaml.safe_load(SHIPPED.read_text())
    edit(content)
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_shipped_card_is_the_talks() -> None:
    card = load_card(SHIPPED)
    assert isinstance(card, VHBBCard)
    assert card.channels == ("0L", "1L", "2L")
    assert card.lumi_ifb == 80.0
    assert card.smeft.sigma_rel == 0.5
    assert (card.network.hidden_layers, card.network.activation, card.network.asimov_l1) == (1, "relu", 0.003)
    assert card.training.batch_size == 4096
    assert tuple(card.regions) == ("inclusive", "boosted")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda c: c["network"].update(hidden_layer=2),
            "'network.hidden_layer', did you mean 'network.hidden_layers'",
        ),
        (lambda c: c.update(signal_region="inclusive"), "Unknown key 'signal_region'"),
        (lambda c: c["processes"].update(vh={"class": "VH"}), "processes.vh.class: .* have no classes"),
        (
            lambda c: c.update(weights={"sf": {"file": "a", "correction": "b", "applies_to": "jets"}}),
            "weights.sf: a scale factor of b-tagged jets needs an efficiency",
        ),
        (
            lambda c: c.update(theory={"scale": {"branch": "LHEScaleWeight", "vary": "scales"}}),
            "theory: generator weights enter no limit of this analysis",
        ),
        (
            lambda c: c["systematics"].update(variations={"jes": {"processes": ["vh"]}}),
            "systematics.variations: Unknown variation 'jes'",
        ),
        (
            lambda c: c["systematics"].update(variations={"jes": {"kind": "two_point"}}),
            "expected kind up_down or one_sided",
        ),
        (
            lambda c: c.update(channels=["0L", "3L"]),
            "channels: Unknown channel '3L'. Expected one of: 0L, 1L",
        ),
        (lambda c: c.update(channels=["0L", "0L"]), "channels: expected each channel once"),
        (
            lambda c: c.update(training_region="inclusiv"),
            "training_region: Unknown region 'inclusiv', did you mean 'inclusive'",
        ),
        (
            lambda c: c["systematics"]["relative"].update(ttbr=0.1),
            "systematics.relative: Unknown process 'ttbr', did you mean 'ttbar'",
        ),
        (
            lambda c: c["regions"].update(top={"mbb": [90, 150]}),
            "regions.top: Unknown column 'mbb', did you mean 'm_bb'",
        ),
        (
            lambda c: c.update(smeft={"values": [0.03, 0.3]}),
            r"smeft.values: c_hw = 0.3 is outside the validity of the morphing, \[-0.1, 0.1\]",
        ),
        (
            lambda c: c.update(discriminants={"parametrised_at": -0.2}),
            r"discriminants.parametrised_at: c_hw = -0.2 is outside the validity",
        ),
        (
            lambda c: c.update(discriminants={"parametrised_at": 0.05}),
            r"discriminants.parametrised_at: .* within the trained \[-0.03, .*, 0.03\]. Received: 0.05",
        ),
        (
            lambda c: c.update(smeft={"values": [0.01]}),
            "discriminants.classifier_value: expected one of smeft.values, 0.01. Received: 0.03",
        ),
        (lambda c: c["processes"].update(vh={"kind": "data"}), r"\.xsec_pb: has no effect on data"),
        (
            lambda c: c["simulation"].update(pseudo_data={"enabled": True}),
            "simulation.pseudo_data: this analysis makes none; switch it off, and give recorded data",
        ),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path: Path, edit: Edit, message: str) -> None:
    with pytest.raises(CardError, match=message) as caught:
        load_card(_edited(tmp_path, edit))
    assert "\n" not in str(caught.value)


def test_any_systematic_is_a_matter_of_the_card(tmp_path: Path) -> None:
    muon: dict[str, Any] = {
        "file": "sf.json",
        "correction": "id",
        "applies_to": "muon",
        "systematic_input": "way",
    }
    muon["systematics"] = {way: way for way in ("nominal", "up", "down")}

    def edit(content: dict[str, Any]) -> None:
        content["variations"] = {"enabled": ["jes", "jer", "btag"], "jes_relative": 0.01}
        content["weights"] = {"muon_id": muon}
        content["systematics"]["variations"] = {"jes": {"decorrelate": ["process"]}}

    card = load_card(_edited(tmp_path, edit))
    assert isinstance(card, VHBBCard)
    assert card.varied == ("jes", "jer", "btag", "muon_id")
    objects = ("jes_up", "jes_down", "jer_up", "btag_down")
    assert card.variation_names == (*objects, "muon_id_up", "muon_id_down")
    assert card.request.variations.enabled == ("jes", "jer", "btag")
