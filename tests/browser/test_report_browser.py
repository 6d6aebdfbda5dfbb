"""The report in a real browser: it loads nothing, runs nothing of the source, and can be read and printed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.reports import HOSTILE, make_report

pytestmark = pytest.mark.browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PAGES = ("index.html", "01_oltp_model.html", "06_security.html")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with hostile names, and a notebook that failed."""
    out, _ = make_report(tmp_path_factory.mktemp("report"))
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser is installed ({', '.join(BROWSERS)}): apt-get install chromium")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(profile, executable_path=found, args=[*FLAGS])
        yield context
        context.close()


@dataclass
class Watched:
    """A page, what it asked for and what it complained of."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture
def watched(browser: BrowserContext) -> Iterator[Watched]:
    page = browser.new_page()
    watched = Watched(page)
    page.on("request", lambda request: watched.requests.append(request.url))
    page.on("console", lambda message: watched.complaints.append(message.text))
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    yield watched
    page.close()


def open_all(page: Page) -> None:
    page.get_by_role("button", name="Open all").click()


@pytest.mark.parametrize("name", PAGES)
def test_page_asks_for_nothing_and_runs_nothing(watched: Watched, report: Path, name: str) -> None:
    """A page asks for itself alone, has nothing to complain of, and no name of the source is run."""
    watched.page.goto((report / name).as_uri())
    open_all(watched.page)
    for link in watched.page.locator("main a[href^='#']").all()[:20]:
        link.dispatch_event("click")

    asked = [url for url in watched.requests if not url.startswith("data:")]
    assert {url.partition("#")[0] for url in asked} == {(report / name).as_uri()}
    assert watched.complaints == []
    assert watched.page.evaluate("window.pwned") is None


def test_script_that_got_in_would_not_run(watched: Watched, report: Path) -> None:
    """Even a script that were in the page would be stopped by its policy."""
    watched.page.goto((report / "index.html").as_uri())
    watched.page.evaluate(
        """() => {
            document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.pwned=1">');
            const script = document.createElement('script');
            script.textContent = 'window.pwned=2';
            document.body.append(script);
        }"""
    )
    watched.page.wait_for_timeout(200)

    assert watched.page.evaluate("window.pwned") is None
    assert any("Content Security Policy" in each for each in watched.complaints)


def test_hostile_names_are_text(watched: Watched, report: Path) -> None:
    """A reader sees the names as the source has them."""
    watched.page.goto((report / "index.html").as_uri())
    objects = watched.page.locator(".finding .object").all_text_contents()

    assert {f"public.{name}" for name in HOSTILE} == set(objects)


def test_details_show_the_fix_and_the_evidence(watched: Watched, report: Path) -> None:
    """A click on a finding shows its fix, with a button that copies it, and its evidence."""
    watched.page.goto((report / "index.html").as_uri())
    finding = watched.page.locator(".finding", has_text=HOSTILE[0]).first
    fix = finding.locator("pre.copy")
    assert not fix.is_visible()

    finding.locator("summary").click()

    assert fix.is_visible()
    assert fix.text_content() == f"alter table {HOSTILE[0]}\n  add primary key (id);"
    assert "tried on" in (finding.locator(".evidence").text_content() or "")
    finding.get_by_role("button", name="Copy").click()
    finding.get_by_role("button", name="Copied").wait_for()


def test_link_to_a_finding_opens_it(watched: Watched, report: Path) -> None:
    """An address that names a finding opens it and all that it is in."""
    watched.page.goto((report / "index.html").as_uri())
    anchor = watched.page.locator(".finding").nth(3).get_attribute("id")
    watched.page.goto("about:blank")
    watched.page.goto(f"{(report / 'index.html').as_uri()}#{anchor}")

    assert watched.page.locator(f"#{anchor} pre.copy").first.is_visible()


def test_findings_sort_by_a_column(watched: Watched, report: Path) -> None:
    """A click on a head sorts by it, a second one the other way, and the head says so."""
    watched.page.goto((report / "index.html").as_uri())
    table = watched.page.locator("table.sortable")
    before = table.locator("tbody tr td:nth-child(4)").all_text_contents()
    head = table.locator("th", has_text="Objects")

    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert table.locator("tbody tr td:nth-child(4)").all_text_contents() == sorted(before, key=int)

    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert table.locator("tbody tr td:nth-child(4)").all_text_contents() == sorted(
        before, key=int, reverse=True
    )


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [1280, 390])
def test_page_is_no_wider_than_the_window(watched: Watched, report: Path, name: str, width: int) -> None:
    """With all opened, nothing reaches over the edge of a wide or a narrow window."""
    watched.page.set_viewport_size({"width": width, "height": 900})
    watched.page.goto((report / name).as_uri())
    open_all(watched.page)

    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", ["index.html", "01_oltp_model.html"])
def test_print_shows_everything(watched: Watched, report: Path, name: str) -> None:
    """On paper all details are open, without the bars and buttons of the screen, and none stays open."""
    watched.page.goto((report / name).as_uri())
    closed = watched.page.locator("details:not([open])").count()
    watched.page.emulate_media(media="print")

    fixes = watched.page.locator(".finding pre.copy")
    assert fixes.count() >= len(HOSTILE)
    assert all(fix.bounding_box() for fix in fixes.all()), "a fix has no place on paper"
    assert not watched.page.locator(".bar").is_visible()
    assert not watched.page.locator(".copy-button").first.is_visible()
    assert watched.page.pdf(format="A4")[:5] == b"%PDF-"
    assert watched.page.locator("details:not([open])").count() == closed


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(watched: Watched, report: Path, scheme: str) -> None:
    """Text of every kind has a contrast of at least 4.5 to what is behind it, in light and in dark."""
    watched.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    watched.page.goto((report / "index.html").as_uri())
    open_all(watched.page)

    low = watched.page.evaluate(
        """() => {
            const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
            const light = (rgb) => {
                const part = rgb.slice(0, 3).map((v) => v / 255)
                    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
            };
            const behind = (node) => {
                for (; node; node = node.parentElement) {
                    const color = numbers(getComputedStyle(node).backgroundColor);
                    if (color.length === 3 || color[3] === 1) return color;
                }
                return [255, 255, 255];
            };
            const low = [];
            for (const node of document.querySelectorAll('body *:not(svg *)')) {
                const own = [...node.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim());
                if (!own || !node.getClientRects().length) continue;
                const [a, b] = [light(numbers(getComputedStyle(node).color)), light(behind(node))];
                const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                if (ratio < 4.5) low.push(`${node.tagName}.${node.className} ${ratio.toFixed(2)}`);
            }
            return [...new Set(low)];
        }"""
    )

    assert low == []


def test_page_can_be_read_without_its_script(browser: BrowserContext, report: Path, tmp_path: Path) -> None:
    """Without JavaScript all is there: findings unfold, and pages are reached by their links."""
    page = browser.new_page()
    session = browser.new_cdp_session(page)
    session.send("Emulation.setScriptExecutionDisabled", {"value": True})
    page.goto((report / "index.html").as_uri())
    page.locator(".finding summary").first.click()

    assert page.locator(".finding pre.copy").first.is_visible()
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="OLTP model").click()
    assert page.locator("h1").text_content() == "OLTP model"
    page.close()
