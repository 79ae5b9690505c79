"""What the pages say holds: versions agree, links lead somewhere, commands of the first page are commands."""

import re
from pathlib import Path

import yaml
from typer.testing import CliRunner

import znought
from znought.facility.cli import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == znought.__version__
    assert [author["name"] for author in citation["authors"]] == ["znought developers"]


def test_the_commands_of_the_first_page_are_there() -> None:
    """The test of `init` runs them; here nothing is named that does not exist."""
    text = (ROOT / "docs" / "starting.md").read_text(encoding="utf-8")
    used = {
        (words[1], *re.findall(r"--[a-z-]+", line))
        for line in text.splitlines()
        if (words := line.split())[:1] == ["znought"]
    }
    assert {name for name, *_ in used} == {"init", "check", "run", "inspect"}
    for name, *options in sorted(used):
        printed = CliRunner().invoke(app, [name, "--help"]).stdout
        assert all(option in printed for option in options), (name, options)
