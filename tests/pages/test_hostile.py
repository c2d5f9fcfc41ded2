"""Names that would like to be scripts stay names, on every page. The `anonymous` fixture also fails where the browser had to
stop one by the Content-Security-Policy: nothing may come so far."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.pages.conftest import PASSWORD, Site, open_dashboard, series, sign_in

PAYLOADS = (
    "<img src=x onerror=window.pwned=1>",
    '"><svg onload=window.pwned=1>',
    "'onmouseover='window.pwned=1",
    "</script><script>window.pwned=1</script>",
    "{{7*7}}${7*7}<%=7*7%>",
    "javascript:window.pwned=1",
    "<!--<style>*{display:none}",
)
HOSTILE = " ".join(PAYLOADS)
EMAIL = '"><img/src=x/onerror=window.pwned=1></script><script>window.pwned=1</script>@hostile.example'


@pytest.fixture(scope="module")
def board(site: Site) -> dict[str, Any]:
    """Everything that takes a name has a hostile one."""
    for payload in PAYLOADS:
        site.post(series("hostile.load", {"host": payload}, [float(len(payload))] * 30))
    fields = {"email": EMAIL, "password": PASSWORD, "role": "admin"}
    assert site.api.post("/api/v1/users", json=fields).status_code in (201, 409)
    kinds = ["line", "area", "bar", "gauge", "stat"]
    panels = [
        {
            "title": f"{HOSTILE} {kind}"[:200], "type": kind, "query": "hostile.load",
            "options": {"groupBy": [] if kind in ("gauge", "stat") else ["host"], "alias": "{host} <b onclick=1>"},
            "position": {"x": (number % 2) * 6, "y": number // 2 * 4, "w": 6, "h": 4},
        }
        for number, kind in enumerate(kinds)
    ]  # fmt: skip
    # One that has no samples says so with its name and tags.
    panels.append({
        "title": "None", "type": "line", "query": "hostile.none", "options": {"tags": {"host": PAYLOADS[0]}},
        "position": {"x": 6, "y": 8, "w": 6, "h": 4},
    })  # fmt: skip
    site.api.post(
        "/api/v1/alerts", json={"name": HOSTILE, "query": "hostile.load", "condition": "gt", "threshold": 1, "groupBy": ["host"]}
    )
    return site.create(HOSTILE[:100], panels, description=HOSTILE, isPublic=True)


async def unharmed(page: Page) -> None:
    assert await page.evaluate("window.pwned") is None
    assert await page.evaluate("document.querySelectorAll('img[src=x], svg[onload], b[onclick]').length") == 0


async def test_the_dashboard(anonymous: BrowserContext, site: Site, board: dict[str, Any]) -> None:
    await sign_in(anonymous, site.url, EMAIL)
    page = await open_dashboard(anonymous, f"{site.url}/d/{board['id']}?from=<img src=x onerror=window.pwned=1>&refresh=%22><b>")
    await expect(page.locator("h1")).to_have_text(HOSTILE[:100].strip())
    await expect(page.locator(".banner")).to_be_visible()
    await page.goto(f"{site.url}/d/{board['id']}?from=now-15m&refresh=1s")
    await page.wait_for_function("performance.getEntriesByName('dashapp-ready').length > 0")
    line = page.locator('[data-panel-type="line"]').first
    await expect(line.locator(".legend tbody tr")).to_have_count(len(PAYLOADS))
    assert any(PAYLOADS[0] in text for text in await line.locator(".legend tbody").all_inner_texts())
    plot = await line.locator(".plot").bounding_box()
    assert plot
    await page.mouse.move(plot["x"] + plot["width"] * 0.95, plot["y"] + plot["height"] / 2)
    await page.locator(".panel-menu").first.focus()
    await expect(page.locator('[data-state="empty"] .panel-message')).to_contain_text("hostile.none")
    await unharmed(page)


@pytest.mark.parametrize(
    "path", ["/", "/account", "/users", "/audit", f"/audit?by={EMAIL}", "/alerts", "/explore", "/nowhere/<script>"]
)
async def test_other_pages(anonymous: BrowserContext, site: Site, board: dict[str, Any], path: str) -> None:
    await sign_in(anonymous, site.url, EMAIL)
    site.api.post("/api/v1/auth/tokens", json={"name": HOSTILE[:100], "scope": "read"})
    page = await anonymous.new_page()
    await page.goto(f"{site.url}{path}")
    await page.wait_for_load_state("networkidle")
    for title in await page.locator("[title]").all():
        assert await title.get_attribute("title") is not None
    await unharmed(page)


async def test_dialogs(anonymous: BrowserContext, site: Site, board: dict[str, Any]) -> None:
    await sign_in(anonymous, site.url, "admin@example.org")
    page = await anonymous.new_page()
    await page.goto(f"{site.url}/users")
    await page.locator("[data-user]", has_text="hostile.example").locator('[data-action="disable"]').click()
    await expect(page.locator("dialog h2")).to_contain_text(EMAIL)
    await unharmed(page)


async def test_the_sign_in_form(anonymous: BrowserContext, site: Site) -> None:
    page = await anonymous.new_page()
    await page.goto(f"{site.url}/login?next=%22><img src=x onerror=window.pwned=1>")
    await page.fill('[name="email"]', EMAIL)
    await page.fill('[name="password"]', HOSTILE)
    await page.press('[name="password"]', "Enter")
    await expect(page.locator('[role="alert"]')).to_contain_text("don't match")
    assert await page.input_value('[name="email"]') == EMAIL
    await unharmed(page)
