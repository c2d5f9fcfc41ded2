"""The pages of alerts in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.pages.conftest import Site, open_dashboard, series, sign_in
from tests.running import until


@pytest.fixture(scope="module")
def busy(site: Site) -> Iterator[dict[str, Any]]:
    """A metric that was high twice in the last hour, for five minutes each; and a rule that never sees anything."""
    values = [90.0 if at // 30 in (2, 8) else 20.0 for at in range(360)]
    for host, add in (("a", 0.0), ("b", -50.0)):
        site.post(series("alerts.busy", {"host": host}, [value + add for value in values]))
    yield make(site, name="Silent", query="alerts.nothing", threshold=1)


def make(site: Site, **rule: Any) -> dict[str, Any]:
    answer = site.api.post("/api/v1/alerts", json={"condition": "gt", "threshold": 80, "query": "alerts.busy", **rule})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


async def opened(context: BrowserContext, url: str) -> Page:
    return await open_dashboard(context, url)


async def test_a_rule_is_judged_before_it_is_saved(signed_in: BrowserContext, site: Site, busy: dict[str, Any]) -> None:
    page = await opened(signed_in, f"{site.url}/alerts")
    await page.get_by_role("link", name="New rule").click()
    metric = page.get_by_role("combobox", name="Metric")
    await metric.fill("alerts.bu")
    await page.get_by_role("option", name="alerts.busy").click()
    await page.get_by_label("Threshold").fill("80")
    await page.get_by_label("For at least").fill("1 minute")
    await page.locator('[data-field="groupBy"]').get_by_text("host").click()
    await page.locator('[data-role="range"]').get_by_text("24 h").click()
    await expect(page.locator(".verdict")).to_contain_text("Would have fired 2 times")
    await expect(page.locator('[data-role="periods"] tbody tr')).to_have_count(2)
    bands = "dashapp.frames.plot('preview').center.filter((one) => one.type === 'BoxAnnotation').length"
    assert await page.evaluate(bands) >= 4  # pending and firing, twice
    # A change is judged at once.
    await page.get_by_label("Threshold").fill("95")
    await expect(page.locator(".verdict")).to_contain_text("not have fired")
    await page.get_by_label("Threshold").fill("80")
    await page.get_by_label("Name").fill("Busy")
    await page.get_by_role("button", name="Create rule").click()
    await page.wait_for_url(re.compile(r"/alerts/[0-9a-f-]{36}$"))
    rule = site.api.get(f"/api/v1/alerts/{page.url.rsplit('/', 1)[1]}").json()["data"]
    assert (rule["name"], rule["duration"], rule["groupBy"], rule["threshold"]) == ("Busy", "1 minute", ["host"], 80)


async def test_what_is_wrong_stands_at_its_field(signed_in: BrowserContext, site: Site, busy: dict[str, Any]) -> None:
    page = await opened(signed_in, f"{site.url}/alerts/new?query=alerts.busy&threshold=80&name=x")
    await page.get_by_label("For at least").fill("soon")
    await expect(page.locator('[data-field="duration"] .wrong')).to_be_visible()
    await page.get_by_label("For at least").fill("1 minute")
    await expect(page.locator('[data-field="duration"] .wrong')).to_be_hidden()
    await page.get_by_label("By", exact=True).select_option("webhook")
    await page.get_by_label("To", exact=True).fill("https://")
    await page.get_by_role("button", name="Create rule").click()
    await expect(page.locator('[data-field="notification.target"] .wrong')).to_contain_text("no host")


async def test_the_switch_flips_at_once_and_goes_back_when_the_server_refuses(signed_in: BrowserContext, site: Site) -> None:
    rule = make(site, name="Switched", query="alerts.other")
    page = await opened(signed_in, f"{site.url}/alerts?q=Switched")
    switch = page.get_by_role("switch", name="Switched is enabled")
    await expect(switch).to_be_checked()
    await switch.click()
    await expect(switch).not_to_be_checked()
    path = f"/api/v1/alerts/{rule['id']}"
    until(lambda: site.api.get(path).json()["data"]["enabled"] is False, "the rule to be disabled")
    await page.route(
        f"**{path}", lambda route: route.fulfill(status=503, json={"error": "The database is away.", "code": "UNAVAILABLE"})
    )
    await switch.click()
    await expect(page.locator(".toast")).to_contain_text("could not be enabled: The database is away")
    await expect(switch).not_to_be_checked()


async def test_the_list_follows_and_filters_stay_in_the_link(signed_in: BrowserContext, site: Site, busy: dict[str, Any]) -> None:
    page = await opened(signed_in, f"{site.url}/alerts")
    await page.get_by_role("searchbox").fill("Silent")
    row = page.locator(f'tr[data-rule="{busy["id"]}"]')
    await expect(row.locator(".state").first).to_have_text("no data")
    await expect(page).to_have_url(re.compile("q=Silent"))
    site.api.put(f"/api/v1/alerts/{busy['id']}", json={"name": "Silent too"})
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(row).to_contain_text("Silent too")
    await page.get_by_role("group", name="State").get_by_text("firing").click()
    await expect(page.locator("[data-list]")).to_contain_text("No rule fits these filters")
    await expect(page).to_have_url(re.compile("state=firing"))
    site.api.put(f"/api/v1/alerts/{busy['id']}", json={"name": "Silent"})


async def test_a_silence_is_made_and_ended(signed_in: BrowserContext, site: Site) -> None:
    page = await opened(signed_in, f"{site.url}/alerts?view=silences")
    await page.get_by_role("button", name="New silence").click()
    await page.get_by_label("Why").fill("Moving racks")
    await page.get_by_role("dialog").get_by_role("button", name="Silence").click()
    row = page.locator("tbody tr", has_text="Moving racks")
    await expect(row).to_contain_text("everything")
    await row.get_by_role("button", name="End now").click()
    await expect(row).to_have_count(0)


async def test_viewers_see_rules_and_change_none(anonymous: BrowserContext, site: Site, busy: dict[str, Any]) -> None:
    await sign_in(anonymous, site.url, "viewer@example.org")
    page = await opened(anonymous, f"{site.url}/alerts?q=Silent")
    await expect(page.get_by_role("switch", name="Silent is enabled")).to_be_disabled()
    await expect(page.get_by_role("link", name="New rule")).to_have_count(0)
    await page.get_by_role("link", name="Silent").click()
    await expect(page.get_by_label("Threshold")).to_be_disabled()
    await expect(page.get_by_role("button", name="Save")).to_have_count(0)


async def test_names_are_text_and_never_markup(signed_in: BrowserContext, site: Site) -> None:
    hostile = "<img src=x onerror=window.hacked=1>"
    rule = make(site, name=hostile, query="alerts.busy", tags={"host": "<b>a</b>"})
    for path in ("/alerts", f"/alerts/{rule['id']}"):
        page = await opened(signed_in, f"{site.url}{path}")
        await expect(page.get_by_text(hostile).first).to_be_visible()
        assert await page.evaluate("window.hacked === undefined")
        await page.close()
    site.api.delete(f"/api/v1/alerts/{rule['id']}")


async def test_a_test_is_sent_and_what_became_of_it_is_told(signed_in: BrowserContext, site: Site) -> None:
    target = {"type": "webhook", "target": f"{site.url}/hook"}
    rule = make(site, name="Tested", notification=target)
    page = await opened(signed_in, f"{site.url}/alerts/{rule['id']}")
    await page.get_by_role("button", name="Send a test").click()
    await expect(page.locator(".toast")).to_contain_text(
        "could not be delivered: 127.0.0.1 is 127.0.0.1, which is no public address"
    )
    site.api.delete(f"/api/v1/alerts/{rule['id']}")


async def test_a_notifications_link_shows_that_time_here_and_on_dashboards(
    signed_in: BrowserContext, site: Site, busy: dict[str, Any]
) -> None:
    panel = {"title": "Busy", "type": "line", "query": "alerts.other"}
    second = panel | {"options": {"queries": [{"query": "alerts.busy"}]}}
    shown = site.create("Shows <it>", [second])
    site.create("Shows another", [panel])
    rule = make(site, name="Linked", tags={"host": "a"})
    now = datetime.now(UTC)
    start, end = (f"{when:%Y-%m-%dT%H:%M:%SZ}" for when in (now - timedelta(minutes=50), now - timedelta(minutes=20)))
    page = await opened(signed_in, f"{site.url}/alerts/{rule['id']}?{urlencode({'from': start, 'to': end})}")
    await expect(page.get_by_role("radio", name="Then")).to_be_checked()
    await expect(page.locator(".verdict")).to_contain_text("in 30 minutes")
    links = page.locator('[data-role="dashboards"] a')
    await expect(links).to_have_text(["Shows <it>"])
    await links.first.click()
    await page.wait_for_url(re.compile(rf"/d/{shown['id']}\?from={start.replace(':', '(:|%3A)')}&to={end.replace(':', '(:|%3A)')}"))
    site.api.delete(f"/api/v1/alerts/{rule['id']}")
