"""Sites as a user writes them down: which layer counts, and what cannot be."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.facility.spoiled import Card, changed_card
from znought.errors import CardError, SiteError
from znought.facility.cards.reading import load_card
from znought.facility.cluster.configured import described_sites, resolved, sites_file
from znought.facility.cluster.sites import connect


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration, of this test alone."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert sites_file() == tmp_path / "znought/sites.yaml"
    sites_file().parent.mkdir()
    return tmp_path


def _describe(**sites: Any) -> None:
    sites_file().write_text(yaml.safe_dump(sites))


def test_what_is_nearer_counts(home: Path) -> None:
    _describe(
        slurm={"queue": "long", "account": "higgs", "workers": 4},
        night={"base": "slurm", "walltime": "12:00:00", "adapt": "1:9"},
    )
    base, options = resolved("night", {"queue": "short"}, {"night": {"account": "top", "job_lines": ["a"]}})
    assert base == "slurm"
    assert options.given == {
        "queue": "short",
        "account": "top",
        "walltime": "12:00:00",
        "adapt": "1:9",
        "job_lines": ("a",),
    }
    assert resolved("night", {"workers": 2}, {})[1].given["workers"] == 2
    assert "adapt" not in resolved("night", {"workers": 2}, {})[1].given
    assert resolved("local", {}, {})[1].given == {}


def test_without_a_file_nothing_is_described(home: Path) -> None:
    assert described_sites() == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"slurm": {"que": "a"}}, r"sites\.yaml: slurm: Unknown site option 'que', did you mean 'queue'"),
        ({"slurm": {"workers": "many"}}, r"slurm\.workers: .*valid integer.* Received: 'many'"),
        ({"slurm": {"walltime": "2h"}}, "walltime: expected H:MM:SS"),
        ({"slurm": 3}, "slurm: expected options, received int"),
        ([1], "expected sites with their options, received list"),
    ],
)
def test_a_mistake_names_the_file(home: Path, content: Any, message: str) -> None:
    sites_file().write_text(yaml.safe_dump(content))
    with pytest.raises(SiteError, match=message) as caught, connect("local"):
        pass
    assert "\n" not in str(caught.value)


def test_a_site_of_ones_own_is_offered(home: Path) -> None:
    _describe(night={"base": "slurm"})
    with pytest.raises(SiteError, match="Unknown site 'nigth', did you mean 'night'"), connect("nigth"):
        pass


def test_a_card_describes_sites_and_no_result_depends_on_them(folder: Path) -> None:
    def change(card: Card) -> None:
        card["sites"] = {"slurm": {"account": "higgs"}}

    card = load_card(changed_card(folder, change))
    assert card.sites == {"slurm": {"account": "higgs"}}

    def wrong(card: Card) -> None:
        card["sites"] = {"slurm": {"acount": "higgs"}}

    with pytest.raises(CardError, match="sites: slurm: Unknown site option 'acount', did you mean 'account'"):
        load_card(changed_card(folder, wrong))
