"""The code of every page runs: commands in a shell, blocks of Python one by one, files as they are named."""

import pytest

from tests.docs.conftest import Run, run_block
from tests.pages import PAGES, ROOT, blocks_of

# Pages whose code a test of its own runs, with what it says beside it.
ELSEWHERE = {
    "bring_your_own.md": "tests/integration/test_bring_your_own.py",
    "notebooks.md": "tests/integration/test_docs_notebooks.py",
    "starting.md": "tests/docs/conftest.py",
}
RUN = {
    page.name: page
    for page in PAGES
    if any(block.language in ("console", "python") for block in blocks_of(page))
}

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize("page", sorted(set(RUN) - set(ELSEWHERE)))
def test_the_code_of_a_page_runs(page: str, folder_of: Run) -> None:
    folder = folder_of(page)
    for block in blocks_of(RUN[page]):
        run_block(block, folder)


@pytest.mark.parametrize("page", sorted(ELSEWHERE))
def test_other_pages_have_a_test_of_their_own(page: str) -> None:
    assert page in RUN
    assert page.removesuffix(".md") in (ROOT / ELSEWHERE[page]).read_text(encoding="utf-8")
