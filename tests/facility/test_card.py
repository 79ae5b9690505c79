"""A card's mistakes are one line that names the key, what came, and the nearest valid name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from znought.errors import CardError
from znought.facility.cards.base import Card
from znought.facility.cards.reading import StandardCard, load_card, load_with_analysis

ANALYSES = Path(__file__).parents[2] / "analyses"
SHIPPED = ANALYSES / "vh_ww.yaml"
Edit = Callable[[dict[str, Any]], object]


def _edited(tmp_path: Path, edit: Edit) -> Path:
    content = yaml.safe_load(SHIPPED.read_text())
    edit(content)
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_shipped_card_is_the_talks() -> None:
    card = load_card(SHIPPED)
    assert isinstance(card, StandardCard)
    assert card.classes == ("VH", "ggF", "VBF", "top", "Zjets", "WW")
    assert card.lumi_ifb == 139.0
    assert card.network is not None
    assert card.network.hidden_nodes == (20, 20, 40, 70, 20, 50, 40, 30, 40, 30)
    assert card.network.learning_rate == 0.00222
    assert card.of_kind("data") == ("data",)


@pytest.mark.parametrize("path", sorted(ANALYSES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_card_is_of_its_analysis(path: Path) -> None:
    card, found = load_with_analysis(path)
    assert isinstance(card, Card)
    assert type(card) is found.analysis.card or isinstance(card, StandardCard)
    assert isinstance(card.selection, found.analysis.selection)
    assert card.analysis == found.analysis.name
    assert path.stem.startswith(card.analysis)


# Expected events before acceptance at 139 fb⁻¹, e±μ∓ with leptonic τ decays (rounded).
HIERARCHY = {"VH": 1.5e3, "top": 3.7e6, "Zjets": 17e6, "WW": 0.53e6}


@pytest.mark.parametrize("process", HIERARCHY)
def test_yields_before_acceptance(process: str) -> None:
    card = load_card(SHIPPED)
    assert isinstance(card, Card)
    expected = sum(
        1e3 * card.lumi_ifb * (entry.xsec_pb or 0.0) * entry.branching_ratio * entry.k_factor
        for entry in card.datasets.values()
        if entry.process == process
    )
    assert expected == pytest.approx(HIERARCHY[process], rel=0.05)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c.update(lumi=1), "Unknown key 'lumi', did you mean 'lumi_ifb'"),
        (
            lambda c: c["selection"].update(pt_l0_min=22),
            "'selection.pt_l0_min', did you mean 'selection.pt_l0_min_gev'",
        ),
        (
            lambda c: c["datasets"]["ggf"].update(xsec=1),
            "'datasets.ggf.xsec', did you mean 'datasets.ggf.xsec_pb'",
        ),
        (
            lambda c: c["network"].update(activation="rellu"),
            r"network.activation: .*'relu'.* Received: 'rellu'",
        ),
        (lambda c: c.update(lumi_ifb=-1), "lumi_ifb: .*greater than 0.* Received: -1"),
        (lambda c: c["datasets"]["ggf"].pop("xsec_pb"), "datasets.ggf: simulation needs a cross section"),
        (
            lambda c: c["datasets"]["ggf"].update(process="gF"),
            "datasets.ggf: Unknown process 'gF', did you mean 'ggF'",
        ),
        (lambda c: c["processes"]["top"].update({"class": "tt"}), "processes.top: Unknown class 'tt'"),
        (
            lambda c: c.update(signal_region="signl"),
            "signal_region: Unknown region 'signl', did you mean 'signal'",
        ),
        (lambda c: c["classes"].append("Wgamma"), "classes: no process is of class Wgamma"),
        (
            lambda c: c["regions"].update(bad={"m_jj": [100, 70]}),
            "cut on 'm_jj' is empty: lower 100.0 is not below 70",
        ),
        (
            lambda c: c["likelihood"]["workspace"]["floating"].append("Zjet"),
            "likelihood.workspace.floating: Unknown process 'Zjet', did you mean 'Zjets'",
        ),
        (
            lambda c: (c.pop("network"), c.pop("cut_based")),
            "signal: VH needs a network, model, discriminants or cut_based",
        ),
        (lambda c: c.update(lumi_ifb=True), "lumi_ifb: expected a number. Received: true"),
        (
            lambda c: c["datasets"]["ggf"].update(k_factor=True),
            r"datasets\.ggf\.k_factor: expected a number\. Received: true",
        ),
        (
            lambda c: c["training"].update(max_epochs=True),
            r"training\.max_epochs: expected a number\. Received: true",
        ),
        (
            lambda c: c["regions"]["signal"].update(m_jj=[True, 100]),
            r"regions\.signal\.m_jj\.0: expected a number\. Received: true",
        ),
        (lambda c: c.pop("analysis"), "analysis: this key is missing; name a shipped analysis"),
        (lambda c: c.update(analysis="vh_wv"), "analysis: Unknown analysis 'vh_wv', did you mean 'vh_ww'"),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path: Path, edit: Edit, message: str) -> None:
    with pytest.raises(CardError, match=message) as caught:
        load_card(_edited(tmp_path, edit))
    assert "\n" not in str(caught.value)


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text("lumi_ifb: 139\ntitle: a\nlumi_ifb: 36\n")
    with pytest.raises(CardError, match="line 3: key 'lumi_ifb' is given twice"):
        load_card(path)


def test_no_card_and_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"No such card: .*absent\.yaml"):
        load_card(tmp_path / "absent.yaml")
    path = tmp_path / "card.yaml"
    path.write_text("a: [1, 2")
    with pytest.raises(CardError, match="not valid YAML"):
        load_card(path)
    path.write_text("just text")
    with pytest.raises(CardError, match="expected a mapping of keys"):
        load_card(path)
