"""The pages of the documentation, and the blocks of code in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "DOCS",
    "PAGES",
    "ROOT",
    "Block",
    "blocks_of",
    "commands_of",
    "counterparts",
    "without_counterpart",
]

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md")))


def counterparts(analysis: str) -> dict[str, list[str]]:
    """Each figure of a published analysis → names of ours in its place, with wildcards; those beside them.

    Args:
        analysis: heading of its part of the page on published analyses.
    """
    text = (DOCS / "published.md").read_text(encoding="utf-8")
    part = text[text.index(f"## {analysis}") :]
    rows = part[part.index("### Its figures") :].split("\n\n")[1].splitlines()[2:]
    cells = ([cell.strip() for cell in row.strip("|").split("|")] for row in rows)
    found = {published: re.findall(r"`([^`]+)`", ours) for published, ours in cells}
    beside = part[part.index("Beside these") :].split("\n\n")[0]
    return found | {"beside these": re.findall(r"`([^`]+)`", beside)}


def without_counterpart(wanted: dict[str, list[str]], figures: Path) -> dict[str, list[str]]:
    """Published figures of which a run has not drawn everything that the page names, and what is missing."""
    missing = {
        one: [name for name in names if not [*figures.glob(f"{name}.png")]] for one, names in wanted.items()
    }
    return {one: names for one, names in missing.items() if names}


@dataclass(frozen=True)
class Block:
    """One block of code.

    Attributes:
        language: console (run as it stands), sh (commands and options are compared with `--help`), python
            (run, one page after another block), yaml (a part of a card) or text (no code).
        mark: what stands behind the language: `file=NAME` is written, `add=NAME` appended to a file, `sites`
            and `templates` are no parts of a card.
        text: its lines.
    """

    language: str
    mark: str
    text: str

    def marked(self, key: str) -> str:
        """Name behind `key=` in the mark; empty without."""
        found = re.fullmatch(rf"{key}=(\S+)", self.mark)
        return found[1] if found else ""


def blocks_of(page: Path) -> tuple[Block, ...]:
    """The fenced blocks of a page, in order."""
    found, head, lines = list[Block](), None, list[str]()
    for line in page.read_text(encoding="utf-8").splitlines():
        if not line.startswith("```"):
            lines.append(line)
        elif head is None:
            head, lines = line.removeprefix("```").strip(), []
        else:
            language, _, mark = head.partition(" ")
            found.append(Block(language, mark, "".join(f"{text}\n" for text in lines)))
            head = None
    assert head is None, f"{page.name}: a block without an end"
    return tuple(found)


def commands_of(block: Block) -> Iterator[list[str]]:
    """Words of every znought command in a block, without comments."""
    for line in block.text.replace("\\\n", " ").splitlines():
        for part in line.removeprefix("$ ").partition("#")[0].split("&&"):
            words = part.split()
            if words[:1] == ["znought"]:
                yield words[1:]
