"""What the pages say holds: versions agree, links lead somewhere, commands, keys and options are known.

`make test-docs` runs the code of the pages and builds the site.
"""

import re
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError
from typer.testing import CliRunner

import znought
from tests.pages import DOCS, PAGES, ROOT, Block, blocks_of, commands_of
from znought.facility.cards.finding import find_analysis
from znought.facility.cards.reading import card_class
from znought.facility.cards.standard import StandardCard
from znought.facility.cli import app
from znought.facility.cluster.configured import check_described
from znought.stats.formats.description import Description

LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
LANGUAGES = {"console", "sh", "python", "yaml", "text", "math", "{toctree}", "{include}"}
MARKS = re.compile(r"|sites|templates|(file|add)=\S+")
# Blocks that no test runs, on sites and grids that are not here or of minutes; their options are compared.
NOT_RUN = 28


def _all(*languages: str) -> list[tuple[str, Block]]:
    return [(page.name, block) for page in PAGES for block in blocks_of(page) if block.language in languages]


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_page_has_a_place_in_the_site() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = {name for name in index.splitlines() if re.fullmatch(r"\w+", name)}
    assert listed == {page.stem for page in DOCS.glob("*.md")} - {"index"}


def test_the_first_page_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == znought.__version__
    assert [author["name"] for author in citation["authors"]] == ["znought developers"]


def test_every_block_says_what_it_is() -> None:
    unknown = [
        (page.name, block.language, block.mark)
        for page in PAGES
        for block in blocks_of(page)
        if block.language not in LANGUAGES
        or not (block.language.startswith("{") or MARKS.fullmatch(block.mark))
    ]
    assert unknown == []
    assert len(_all("sh")) <= NOT_RUN


def _helped(name: str, known: dict[str, str] = {}) -> str:  # noqa: B006  # one call for each command
    if name not in known:
        done = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"})
        known[name] = done.stdout if done.exit_code == 0 else ""
    return known[name]


def test_commands_and_options_of_the_pages_are_there() -> None:
    wrong, seen = list[tuple[str, ...]](), 0
    for page, block in _all("sh", "console"):
        for name, *words in commands_of(block):
            seen += 1
            options = [word.partition("=")[0] for word in words if word.startswith("--")]
            wrong += [(page, name, option) for option in options if option not in _helped(name)]
            wrong += [(page, name)] if not _helped(name) else []
    assert wrong == []
    assert seen > 50


def _checked(block: Block) -> None:
    """Raises unless a part of a card, of `sites.yaml` or a description of templates is valid."""
    content: dict[str, Any] = yaml.safe_load(block.text)
    if block.mark == "sites":
        check_described(content)
    elif block.mark == "templates":
        TypeAdapter(Description).validate_python(content)
    else:
        assert _mistakes(content) == []


def _mistakes(content: dict[str, Any]) -> list[str]:
    """What a card of these keys alone has wrong, beside the keys that it lacks."""
    shipped = content.get("analysis", "agc_ttbar.py")
    kind = StandardCard if "." in shipped else card_class(find_analysis(shipped, ROOT).analysis)
    try:
        kind.model_validate(content)
    except ValidationError as error:
        return [
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors()
            if one["type"] != "missing" or len(one["loc"]) > 1
        ]
    return []


@pytest.mark.parametrize("page", sorted({page for page, _ in _all("yaml")}))
def test_parts_of_cards_are_valid(page: str) -> None:
    for block in blocks_of(ROOT / page if page == "README.md" else DOCS / page):
        # Whole cards are checked by the commands that read them.
        if block.language == "yaml" and not block.marked("file"):
            _checked(block)


def test_a_misspelt_key_would_be_found() -> None:
    wrong = Block("yaml", "", "{regoins: {}, datasets: {a: {process: b, lumi_fb: 1.0}}}")
    with pytest.raises(AssertionError, match=r"2 more items.*datasets\.a\.lumi_fb"):
        _checked(wrong)
