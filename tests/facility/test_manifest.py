"""A stage is skipped only while its inputs, its code and its files are what they were."""

import os
from pathlib import Path

import pytest

from znought.errors import DataError
from znought.facility.manifest import Manifest, fingerprint, source_digest
from znought.facility.workspace import atomic_path, read_json, write_json


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    output = tmp_path / "columns" / "a.bin"
    output.parent.mkdir()
    output.write_bytes(b"columns")
    kept = Manifest(tmp_path / "manifest.json")
    kept.record("process", "mark", [output], seconds=1.0, section={"lumi_ifb": 139.0})
    return kept


def test_holds_while_nothing_changed(manifest: Manifest) -> None:
    assert Manifest(manifest.path).holds("process", "mark")


def test_relative_directories_and_absolute_outputs_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    output = tmp_path / "demo" / "a.bin"
    output.write_bytes(b"columns")
    kept = Manifest(Path("demo/manifest.json"))
    kept.record("simulate", "mark", [output], seconds=1.0, section={})
    assert kept.holds("simulate", "mark")


def test_another_fingerprint_does_not_hold(manifest: Manifest) -> None:
    assert not manifest.holds("process", "other mark")


def test_a_stage_never_run_does_not_hold(manifest: Manifest) -> None:
    assert not manifest.holds("train", "mark")


def test_a_lost_output_does_not_hold(manifest: Manifest) -> None:
    (manifest.path.parent / "columns" / "a.bin").unlink()
    assert not manifest.holds("process", "mark")


def test_an_output_of_another_size_does_not_hold(manifest: Manifest) -> None:
    (manifest.path.parent / "columns" / "a.bin").write_bytes(b"other columns")
    assert not manifest.holds("process", "mark")


def test_a_dropped_stage_does_not_hold(manifest: Manifest) -> None:
    manifest.drop("process")
    assert not manifest.holds("process", "mark")


def test_fingerprint_sees_values_and_not_order() -> None:
    assert fingerprint({"a": 1, "b": (1, 2)}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_source_digest_follows_imports() -> None:
    assert source_digest("znought.facility.manifest") != source_digest("znought.facility.workspace")
    assert source_digest("znought.facility.manifest") == source_digest(
        "znought.facility.manifest", "znought.facility.workspace", "znought.errors"
    )


def _interrupted_write(target: Path) -> None:
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("interrupted")


def test_nothing_half_written(tmp_path: Path) -> None:
    target = tmp_path / "results.json"
    write_json(target, {"z0": 0.5})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(target, {"z0": float("nan")})
    with pytest.raises(RuntimeError, match="interrupted"):
        _interrupted_write(target)
    assert read_json(target) == {"z0": 0.5}
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"binning\.json does not exist: run the stage"):
        read_json(tmp_path / "binning.json")


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_files_are_for_whom_the_umask_says(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_json(tmp_path / "results.json", {})
    finally:
        os.umask(before)
    assert (tmp_path / "results.json").stat().st_mode & 0o777 == mode
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
