"""Reference pages made from the code: each fills the place of a comment `<!-- reference: NAME -->`."""

import re
from typing import Any

from docutils.nodes import SkipNode
from docutils.utils.math import latex2mathml

from reference.card import card
from reference.columns import columns
from reference.commands import commands
from reference.files import files
from reference.python import python

__all__ = ["MADE", "setup"]

MADE = {"card": card, "columns": columns, "commands": commands, "files": files, "python": python}
"""Name in the comment → function that gives the Markdown for its place."""

_SHORTER = re.compile(r"(?:~|<class ')(?:\w+\.)*(\w+)(?:'>)?")
PLACE = re.compile(r"<!-- reference: (\w+) -->")


def _filled(app: Any, page: str, source: list[str]) -> None:
    """Puts what the code says into a page's source."""
    source[0] = PLACE.sub(lambda found: MADE[found[1]](), source[0])


def _short(app: Any, what: str, name: str, found: Any, options: Any, given: str, returned: str) -> Any:
    """A signature without the modules of its types."""
    return tuple(text and _SHORTER.sub(r"\1", text).replace("<factory>", "{}") for text in (given, returned))


def _mathml(writer: Any, node: Any) -> None:
    """Formulas as MathML, which browsers draw without a script from elsewhere."""
    is_block = node.tagname == "math_block"
    formula = latex2mathml.tex2mathml(node.astext(), as_block=is_block)
    writer.body.append(f'<div class="formula">{formula}</div>' if is_block else formula)
    raise SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Makes the builder know of it."""
    app.connect("source-read", _filled)
    app.connect("autodoc-process-signature", _short)
    app.add_html_math_renderer("mathml", (_mathml, None), (_mathml, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
