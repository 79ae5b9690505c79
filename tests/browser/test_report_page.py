"""The report in a browser: nothing asked for, nothing logged, every picture there, usable by all.

With Chromium on the path: `make test-report`; another page: `REPORT=output/report.html make test-report`.
Rules of accessibility are those of axe-core where `AXE_CORE` names its `axe.min.js` (`npm install axe-core`).
"""

import asyncio
import base64
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser.chromium import Tab, opened
from znought.plots.report import (
    ReportDocument,
    ReportFigure,
    ReportHead,
    ReportTable,
    reduced_picture,
    write_report,
)
from znought.plots.style import FigureLabel

WIDTHS = (390, 1440)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if "REPORT" in os.environ:
        return Path(os.environ["REPORT"])
    folder = tmp_path_factory.mktemp("report")
    png, numbers = folder / "roc.png", folder / "roc.json"
    Image.new("RGB", (1280, 720), "white").save(png)
    numbers.write_text("{}")
    header = tuple(f"column {i}" for i in range(12))
    return write_report(
        folder / "report.html",
        head=ReportHead("Report", FigureLabel(), (("1.5", "Z"),), "warn", "Referee: 1 warn.", ("A note.",)),
        tables=[ReportTable("Wide", header, (header,), "Caption.")],
        figures=[
            ReportFigure(f"Figure {i}", reduced_picture(png), "Caption.", "Network", numbers)
            for i in range(3)
        ],
        documents=[ReportDocument("Card", "card.yaml", "lumi_ifb: 139")],
    )


def _with(page: Path, folder: Path, work: Callable[[Tab], Awaitable[Any]]) -> Any:
    assert shutil.which("chromium"), "needs Chromium (Debian: apt-get install chromium)"

    async def run() -> Any:
        async with opened(page, folder) as tab:
            return await work(tab)

    return asyncio.run(run())


def test_it_asks_for_nothing_and_logs_nothing_and_every_picture_is_decoded(
    page: Path, tmp_path: Path
) -> None:
    async def work(tab: Tab) -> tuple[list[str], list[Any], list[list[Any]]]:
        pictures = await tab.value(
            "Promise.all([...document.images].filter(i => i.getAttribute('src')).map("
            "i => i.decode().then(() => [i.alt, i.naturalWidth])))"
        )
        asked = [
            e["params"]["request"]["url"] for e in tab.events if e["method"] == "Network.requestWillBeSent"
        ]
        kinds = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}
        return asked, [e for e in tab.events if e["method"] in kinds], pictures

    asked, logged, pictures = _with(page, tmp_path, work)
    assert [url[:60] for url in asked if not url.startswith("data:")] == [page.resolve().as_uri()[:60]]
    assert logged == []
    assert pictures
    assert all(width > 0 for _, width in pictures)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_phones_and_desks_in_both_themes(page: Path, tmp_path: Path, theme: str) -> None:
    async def work(tab: Tab) -> dict[int, int]:
        await tab.call(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        )
        widths = {}
        for width in WIDTHS:
            await tab.resize(width)
            widths[width] = await tab.value("document.documentElement.scrollWidth")
            if "PICTURES" in os.environ:
                shot = await tab.call("Page.captureScreenshot", {"format": "png"})
                target = Path(os.environ["PICTURES"]) / f"report_{theme}_{width}.png"
                target.write_bytes(base64.b64decode(shot["data"]))
        return widths

    for width, found in _with(page, tmp_path, work).items():
        assert found <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(page: Path, tmp_path: Path, theme: str) -> None:
    if "AXE_CORE" not in os.environ:
        pytest.skip("AXE_CORE names no axe.min.js")
    source = Path(os.environ["AXE_CORE"]).read_text()

    async def work(tab: Tab) -> list[Any]:
        await tab.call(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        )
        await tab.value(f"{source};0")
        found = await tab.value(
            "axe.run().then(r => r.violations.map("
            "v => [v.id, v.impact, v.nodes.length, v.nodes[0].html.slice(0, 200)]))"
        )
        return [one for one in found if one[1] in ("serious", "critical")]

    assert _with(page, tmp_path, work) == []


def test_the_keyboard_reaches_everything_from_top_to_bottom(page: Path, tmp_path: Path) -> None:
    async def work(tab: Tab) -> tuple[int, list[Any]]:
        wanted = await tab.value(
            "[...document.querySelectorAll('a[href], button, summary, [tabindex=\"0\"]')]"
            ".filter(e => !e.closest('dialog') && e.checkVisibility()).length"
        )
        seen = []
        for _ in range(wanted):
            await tab.press("Tab")
            seen.append(
                await tab.value("[...document.querySelectorAll('*')].indexOf(document.activeElement)")
            )
        return wanted, seen

    wanted, seen = _with(page, tmp_path, work)
    assert wanted > 5
    assert len(set(seen)) == wanted
    assert seen == sorted(seen)


def test_a_figure_opens_large_and_the_theme_turns_by_keyboard(page: Path, tmp_path: Path) -> None:
    async def work(tab: Tab) -> list[Any]:
        steps = []
        await tab.value("document.querySelector('.enlarge').focus()")
        await tab.press("Enter")
        shown = "[document.getElementById('large').open, document.querySelector('dialog img').alt]"
        steps.append(await tab.value(shown))
        await tab.press("ArrowRight")
        steps.append(await tab.value(shown))
        await tab.press("Escape")
        steps.append(
            await tab.value("[document.getElementById('large').open, document.activeElement.className]")
        )
        await tab.value("document.getElementById('theme').focus()")
        for _ in range(2):
            await tab.press("Enter")
        steps.append(await tab.value("document.documentElement.dataset.theme"))
        return steps

    large, after, closed, theme = _with(page, tmp_path, work)
    assert large[0] is True
    assert after[0] is True
    assert after[1] != large[1]
    assert closed == [False, "enlarge"]
    assert theme == "dark"
