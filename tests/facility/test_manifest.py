"""A stage is skipped only while its inputs, its code and its files are what they were."""

import hashlib
import os
import shutil
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


def test_what_a_stage_no_longer_writes_is_told_even_after_an_interruption(manifest: Manifest) -> None:
    folder = manifest.path.parent / "columns"
    (folder / "b.bin").write_bytes(b"of another stage")
    manifest.record("score", "mark", [folder / "b.bin"], seconds=1.0, section={})
    manifest.drop("process")
    manifest.drop("process")  # begun, broken off and begun again
    assert manifest.outdated("process", [folder / "b.bin"]) == [folder / "a.bin"]
    assert manifest.outdated("process", [folder / "a.bin"]) == []
    manifest.record("process", "mark", [folder / "b.bin"], seconds=1.0, section={})
    manifest.drop("process")
    assert manifest.outdated("process", []) == []


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


def test_contents_are_those_of_the_stages_at_the_places(manifest: Manifest) -> None:
    root = manifest.path.parent
    for name, text in (("columns/b.bin", "more"), ("columns2/c.bin", "other")):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    manifest.record(
        "score", "mark", [root / "columns/b.bin", root / "columns2/c.bin"], seconds=1.0, section={}
    )
    found = manifest.contents(["process", "score", "never"], [root / "columns"])
    assert found == {
        "columns/a.bin": hashlib.sha256(b"columns").hexdigest(),
        "columns/b.bin": hashlib.sha256(b"more").hexdigest(),
    }
    assert set(manifest.contents(["process"], [root / "columns"])) == {"columns/a.bin"}
    assert set(manifest.contents(["score"], [root / "columns2/c.bin"])) == {"columns2/c.bin"}
    assert manifest.contents(["process"], [root / "scores"]) == {}


def test_a_copied_directory_holds_and_an_exchanged_file_does_not(manifest: Manifest, tmp_path: Path) -> None:
    """Times of files change on the way; their content decides."""
    target = tmp_path.with_name(f"{tmp_path.name}_copy")
    shutil.copytree(tmp_path, target, copy_function=shutil.copyfile)
    file = target / "columns" / "a.bin"
    os.utime(file, ns=(1, 1))
    copied = Manifest(target / "manifest.json")
    assert copied.holds("process", "mark")
    assert copied.damaged("process") == []
    assert copied.contents(["process"], [target / "columns"]) == manifest.contents(
        ["process"], [tmp_path / "columns"]
    )
    file.write_bytes(b"kolumns")  # of the same length
    os.utime(file, ns=(1, 1))
    assert not copied.holds("process", "mark")
    assert copied.damaged("process") == ["columns/a.bin"]
    file.unlink()
    assert copied.damaged("process") == ["columns/a.bin"]
    assert copied.damaged("never") == []
