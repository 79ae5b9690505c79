"""The site builds without a warning, its links lead somewhere, and it asks no other address for anything."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

import znought
from tests.pages import DOCS, ROOT

OUTSIDE = re.compile(r"(https?:)?//")
LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}


@dataclass
class _Page(HTMLParser):
    """Anchors of a page, its links, and what it loads."""

    path: Path
    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key == "id" and value:
                self.anchors.add(value)
            elif (tag, key) in LOADED and value:
                self.loaded.append(value)
            elif (tag, key) == ("a", "href") and value:
                self.links.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, _Page]:
    """The pages of the built site."""
    html = tmp_path_factory.mktemp("site") / "html"
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "--keep-going",
        "-E",
        "-b",
        "html",
        str(DOCS),
        str(html),
    ]
    surroundings = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=surroundings)
    assert done.returncode == 0, done.stderr
    return {path: _Page(path) for path in sorted(html.rglob("*.html"))}


def test_every_page_is_built(site: dict[Path, _Page]) -> None:
    assert {path.stem for path in DOCS.glob("*.md")} <= {path.stem for path in site}


def test_links_and_anchors_lead_somewhere(site: dict[Path, _Page]) -> None:
    broken = []
    for page in site.values():
        for link in [*page.links, *page.loaded]:
            if re.match(r"[a-z]+:|//", link) or link == "#":
                continue
            target, anchor = urldefrag(unquote(link))
            path = (page.path.parent / target.partition("?")[0]).resolve() if target else page.path
            known = site[path].anchors if path in site else set()
            if not path.exists() or (anchor and path.suffix == ".html" and anchor not in known):
                broken.append(f"{page.path.name}: {link}")
    assert broken == []


def test_nothing_is_asked_of_another_address(site: dict[Path, _Page]) -> None:
    assert [link for page in site.values() for link in page.loaded if OUTSIDE.match(link)] == []
    folder = next(iter(site)).parent
    styles = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.css"))
    assert re.findall(r"(?:url|@import)\(?\s*[\"']?(?:https?:)?//[^)\"']+", styles) == []


def _text(site: dict[Path, _Page], name: str) -> str:
    (path,) = (path for path in site if path.name == name)
    return path.read_text(encoding="utf-8")


def test_the_reference_knows_all_public_names(site: dict[Path, _Page]) -> None:
    text = _text(site, "reference_python.html")
    assert [n for n in znought.__all__ if not n.startswith("_") and f'id="znought.{n}"' not in text] == []


def test_every_key_of_a_card_is_described(site: dict[Path, _Page]) -> None:
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", _text(site, "reference_card.html"), re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in rows]
    keys = [row for row in cells if len(row) == 5]
    assert len(keys) > 200
    bare = [re.sub("<.*?>", "", row[0]) for row in keys if not re.sub("<.*?>", "", row[1]).strip()]
    assert bare == []


def test_every_command_and_file_is_in_the_reference(site: dict[Path, _Page]) -> None:
    commands, files = _text(site, "reference_commands.html"), _text(site, "reference_output.html")
    assert all(f"--{name}" in commands for name in ("events-scale", "unblind-to", "thorough", "schema"))
    assert all(name in files for name in ("results.json", "unblinding.jsonl", "scores_boosting/"))
