"""A card's files become a fileset: replicas stay together, and what stands nowhere is refused."""

from pathlib import Path

import pytest

from znought.errors import CardError, DataError
from znought.facility.cards.base import Card
from znought.facility.ntuples.fileset import file_states, fileset_of_card, read_fileset
from znought.facility.workspace import write_json

EOS, CACHE = "root://eos.example//store/a.root", "root://xcache.example//store/a.root"


def _card(*files: str | list[str]) -> Card:
    return Card.model_validate(
        {
            "analysis": "x",
            "title": "x",
            "lumi_ifb": 100,
            "processes": {"top": {}},
            "datasets": {"top": {"process": "top", "xsec_pb": 1, "files": list(files)}},
        }
    )


def test_a_list_is_one_file_in_several_places(tmp_path: Path) -> None:
    local = tmp_path / "b.root"
    local.write_bytes(b"")
    entry = fileset_of_card(_card([EOS, CACHE], str(tmp_path / "*.root")))["top"]
    assert entry["files"] == {EOS: None, str(local): None}
    assert entry["replicas"] == {EOS: [CACHE]}
    with pytest.raises(CardError, match="listed twice"):
        fileset_of_card(_card([EOS, CACHE], EOS))
    assert "replicas" not in fileset_of_card(_card(EOS))["top"]


def test_replicas_in_a_fileset_may_be_local_and_gone(tmp_path: Path) -> None:
    path = tmp_path / "fileset.json"
    content = {"top": {"files": {"a.root": None}, "metadata": {}, "replicas": {"a.root": [EOS]}}}
    write_json(path, content)
    fileset = read_fileset(path, _card())
    gone = str(tmp_path / "a.root")
    assert fileset["top"]["replicas"] == {gone: [EOS]}
    assert file_states(fileset) == {}
    del content["top"]["replicas"]
    write_json(path, content)
    with pytest.raises(DataError, match=r"a\.root, which does not exist"):
        read_fileset(path, _card())
