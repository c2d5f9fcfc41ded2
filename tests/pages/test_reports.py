"""The dialog of scheduled reports in a real browser."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import BrowserContext, Page, Route, expect

from tests.pages.conftest import Site, open_dashboard, sign_in

_TEXT = {"title": "On $host", "type": "text", "options": {"content": "All is well."}}
_HOST = {"name": "host", "values": ["a", "b"]}


async def open_reports(page: Page) -> Any:
    await page.get_by_role("button", name="Share").click()
    await page.get_by_role("menuitem", name="Scheduled reports").click()
    dialog = page.get_by_role("dialog", name="Scheduled reports")
    await expect(dialog).to_be_visible()
    return dialog


async def test_a_report_is_made_sent_changed_paused_and_deleted(signed_in: BrowserContext, site: Site) -> None:
    board = site.create("Reported", [_TEXT], variables=[_HOST])
    address = f"/api/v1/dashboards/{board['id']}/reports"

    def stored() -> list[dict[str, Any]]:
        return list(site.api.get(address).json()["data"])

    page = await open_dashboard(signed_in, f"{site.url}/d/{board['id']}?refresh=off&var-host=b")
    dialog = await open_reports(page)
    await expect(dialog.get_by_text("No reports yet")).to_be_visible()
    await dialog.get_by_role("button", name="New report").click()
    form = page.get_by_role("dialog", name="New report")
    await expect(form.get_by_text("With what the page shows now: host = b")).to_be_visible()
    await expect(form.get_by_label("By mail to")).to_have_count(0)  # this server has no mail server
    await expect(form.get_by_label("Keep so many")).to_be_hidden()
    await form.get_by_role("button", name="Make it").click()
    await expect(form.get_by_role("alert")).to_contain_text("a folder, or both")
    await form.get_by_label("Every").select_option("month")
    await expect(form.get_by_label("On", exact=True)).to_be_hidden()
    await form.get_by_label("On day").fill("15")
    await form.get_by_label("At", exact=True).fill("7 o'clock")
    await form.get_by_label("In the time zone of").fill("berl")
    await page.get_by_role("option", name="Europe/Berlin").click()
    await form.get_by_label("Into the folder").fill("../up")
    await form.get_by_role("button", name="Make it").click()
    await expect(form.locator('[data-field="folder"] .wrong')).to_contain_text("is no name of a folder")
    await expect(form.locator('[data-field="at"] .wrong')).to_contain_text("is no time of day")
    await form.get_by_label("At", exact=True).fill("07:30")
    await form.get_by_label("Into the folder").fill("monthly")
    await form.get_by_role("button", name="Make it").click()
    await expect(form).to_be_hidden()

    row = dialog.locator("li")
    await expect(row).to_contain_text("Every month on day 15 at 07:30 (Europe/Berlin)")
    await expect(row).to_contain_text("The last 7 days, host = b, to folder monthly, the newest 30")
    await expect(row).to_contain_text(re.compile(r"Next .* your time · not sent yet"))  # the browser's zone isn't the report's
    await row.get_by_role("button", name="Send now").click()
    await expect(row).to_contain_text("last sent")
    await expect(row.get_by_role("button", name="Send now")).to_be_focused()
    (made,) = stored()
    assert (made["variables"], made["error"], made["folder"]) == ({"host": ["b"]}, None, "monthly")

    await row.get_by_role("button", name="Pause").click()
    await expect(row).to_contain_text("Paused")
    await row.get_by_role("button", name="Change").click()
    form = page.get_by_role("dialog", name="Change the report")
    await form.get_by_label("Shows", exact=True).select_option("now-30d")
    await form.get_by_role("button", name="Save").click()
    await expect(row).to_contain_text("The last 30 days, host = b")
    assert stored()[0]["paused"]
    await row.get_by_role("button", name="Resume").click()
    await expect(row).to_contain_text("Next ")
    await row.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog", name="Delete this report?").get_by_role("button", name="Delete").click()
    await expect(dialog.get_by_text("No reports yet")).to_be_visible()
    assert stored() == []


async def test_every_wrong_address_is_told_at_its_field(signed_in: BrowserContext, site: Site) -> None:
    board = site.create("Addressed", [_TEXT])
    address = f"/api/v1/dashboards/{board['id']}/reports"
    schedule = {"every": "day", "at": "08:00", "zone": "UTC"}
    assert site.api.post(address, json={"schedule": schedule, "folder": "daily"}).status_code == 201
    page = await open_dashboard(signed_in, f"{site.url}/d/{board['id']}?refresh=off")

    async def as_if_mailed(route: Route) -> None:  # this server has no mail server to make one with addresses
        listed = site.api.get(address).json()
        listed["data"][0]["emails"] = ["ada@example.org"]
        await route.fulfill(json=listed)

    await page.route(f"**{address}", as_if_mailed)
    dialog = await open_reports(page)
    await expect(dialog.locator("li")).not_to_contain_text("your time")
    await dialog.get_by_role("button", name="Change").click()
    form = page.get_by_role("dialog", name="Change the report")
    await form.get_by_label("By mail to").fill("ada@example.org, nobody, grace")
    await form.get_by_role("button", name="Save").click()
    wrong = form.locator('[data-field="emails"] .wrong')
    await expect(wrong).to_contain_text("'nobody' is no e-mail address")
    await expect(wrong).to_contain_text("'grace' is no e-mail address")
    await expect(form.get_by_role("alert")).to_have_text("")


async def test_where_nothing_can_be_sent_it_says_so(anonymous: BrowserContext, site: Site) -> None:
    await sign_in(anonymous, site.url, "editor@example.org")
    answer = await anonymous.request.post(f"{site.url}/api/v1/dashboards", data={"name": "Mine"}, headers={"Origin": site.url})
    page = await open_dashboard(anonymous, f"{site.url}/d/{(await answer.json())['data']['id']}")
    dialog = await open_reports(page)
    await expect(dialog).to_contain_text("an admin sets DASHAPP_SMTP_URL")
    await expect(dialog.get_by_role("button", name="New report")).to_have_count(0)
