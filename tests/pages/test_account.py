"""The pages of accounts, users and the audit log, in a browser."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.pages.conftest import PASSWORD, Site, sign_in

NEW = "staple of another kind"
_numbers = itertools.count(1)


def add_user(site: Site, role: str = "editor") -> dict[str, Any]:
    answer = site.api.post(
        "/api/v1/users", json={"email": f"person{next(_numbers)}@example.org", "role": role, "password": PASSWORD}
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


async def opened(context: BrowserContext, site: Site, path: str) -> Page:
    page = await context.new_page()
    page.set_default_timeout(10_000)
    await page.goto(f"{site.url}{path}")
    return page


def whoami(site: Site, token: str) -> int:
    return httpx.get(f"{site.url}/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code


async def picture(page: Page, name: str) -> None:
    """For people to look at: set PICTURES to a folder."""
    if folder := os.environ.get("PICTURES"):
        for theme, (width, height) in itertools.product(("dark", "light"), ((1400, 900), (390, 844))):
            await page.set_viewport_size({"width": width, "height": height})
            await page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
            await page.screenshot(path=Path(folder) / f"{name}-{theme}-{width}.png", animations="disabled")
        await page.set_viewport_size({"width": 1400, "height": 900})


async def test_a_new_password_is_set_and_ends_other_sessions(anonymous: BrowserContext, site: Site) -> None:
    person = add_user(site)
    await sign_in(anonymous, site.url, person["email"])
    other = httpx.Client(base_url=site.url, headers={"Origin": site.url})
    assert other.post("/api/v1/auth/login", json={"email": person["email"], "password": PASSWORD}).is_success
    page = await opened(anonymous, site, "/account")
    form = page.locator('[data-form="password"]')
    await form.locator('[name="current"]').fill("wrong wrong")
    await form.locator('[name="new"]').fill(NEW)
    await form.locator('[name="again"]').fill("something else")
    await form.locator("button").click()
    await expect(form.locator(".problem")).to_contain_text("differ")
    await form.locator('[name="again"]').fill(NEW)
    await form.locator("button").click()
    await expect(form.locator(".problem")).to_contain_text("isn't the present password")
    await form.locator('[name="current"]').fill(PASSWORD)
    await form.locator("button").click()
    await expect(page.locator(".toast")).to_contain_text("Password set")
    assert other.get("/api/v1/auth/me").status_code == 401
    await expect(page.locator("[data-session]")).to_have_count(1)


async def test_sessions_are_listed_and_ended(anonymous: BrowserContext, site: Site) -> None:
    person = add_user(site)
    await sign_in(anonymous, site.url, person["email"])
    other = httpx.Client(base_url=site.url, headers={"Origin": site.url, "User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"})
    assert other.post("/api/v1/auth/login", json={"email": person["email"], "password": PASSWORD}).is_success
    page = await opened(anonymous, site, "/account")
    await expect(page.locator("[data-session]")).to_have_count(2)
    theirs = page.locator("[data-session]", has_text="Firefox on Linux")
    await theirs.locator('[data-action="end"]').click()
    await expect(theirs).to_have_count(0)
    assert other.get("/api/v1/auth/me").status_code == 401
    await page.locator('[data-action="everywhere"]').click()
    await page.locator("dialog .danger").click()
    await expect(page).to_have_url(re.compile("/login"))


async def test_a_token_is_shown_once_and_revoked(anonymous: BrowserContext, site: Site) -> None:
    person = add_user(site)
    await sign_in(anonymous, site.url, person["email"])
    page = await opened(anonymous, site, "/account")
    form = page.locator('[data-form="token"]')
    await form.locator('[name="name"]').fill("ci <b>robot</b>")
    await form.locator('[name="scope"]').select_option("read")
    await form.locator('[name="expires"]').select_option("30")
    await form.locator("button").click()
    secret = await page.locator("dialog .secret").input_value()
    assert secret.startswith("dashapp_")
    assert whoami(site, secret) == 200
    await page.locator("dialog button", has_text="Done").click()
    row = page.locator("[data-token]")
    await expect(row).to_contain_text("ci <b>robot</b>")
    await expect(row).to_contain_text("in 30 d")
    await expect(row).to_contain_text("just now")
    assert secret not in await page.content()
    await picture(page, "account")
    await row.locator('[data-action="revoke"]').click()
    await page.locator("dialog .danger").click()
    await expect(row).to_have_count(0)
    assert whoami(site, secret) == 401


async def test_an_admin_adds_changes_and_deletes_users(signed_in: BrowserContext, site: Site, chromium: Browser) -> None:
    page = await opened(signed_in, site, "/users")
    email = f"new{next(_numbers)}@example.org"
    await page.locator('[data-action="add"]').click()
    await page.locator('dialog [name="email"]').fill(email)
    await page.locator('dialog [name="role"]').select_option("editor")
    await page.locator("dialog .primary").click()
    link = page.locator("dialog .secret")
    await expect(link).to_be_visible()
    theirs = await chromium.new_context()
    own = await theirs.new_page()
    await own.goto(await link.input_value())
    await expect(own).to_have_url(re.compile("/account$"))
    await expect(own.locator("[data-email]")).to_have_text(email)
    assert (await own.goto(f"{site.url}/users")).status == 403  # type: ignore[union-attr]
    await page.locator("dialog button", has_text="Done").click()
    row = page.locator(f'[data-email="{email}"][data-user]')
    await expect(row).to_be_visible()
    await row.locator("select").select_option("viewer")
    await page.locator("dialog .primary").click()
    await expect(page.locator(".toast")).to_contain_text("viewer")
    await picture(page, "users")
    await row.locator('[data-action="disable"]').click()
    await picture(page, "users-dialog")
    await page.locator("dialog .danger").click()
    await expect(row.locator(".warn")).to_have_text("disabled")
    await own.goto(f"{site.url}/account")
    await expect(own).to_have_url(re.compile("/login"))
    await row.locator('[data-action="enable"]').click()
    await expect(row.locator(".warn")).to_have_count(0)
    await row.locator('[data-action="delete"]').click()
    await page.locator("dialog .danger").click()
    await expect(row).to_have_count(0)
    await theirs.close()
    await page.goto(f"{site.url}/audit")
    deed = page.locator("tbody tr", has_text="user.delete").first
    await expect(deed).to_contain_text(email)
    await expect(deed).to_contain_text("admin@example.org")
    await picture(page, "audit")


async def test_on_a_phone_all_that_is_done_to_a_user_is_within_reach(signed_in: BrowserContext, site: Site) -> None:
    person = add_user(site)
    page = await opened(signed_in, site, "/users")
    await page.set_viewport_size({"width": 360, "height": 740})
    row = page.locator(f'[data-user="{person["id"]}"]')
    for action in ("role", "link", "reset", "disable", "delete"):
        box = await row.locator(f'[data-action="{action}"]').bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360, action
    assert await page.evaluate("document.querySelector('.scroll').scrollWidth <= document.querySelector('.scroll').clientWidth")
    await picture(page, "users-phone")


async def test_a_deletion_asks_what_becomes_of_dashboards(signed_in: BrowserContext, site: Site) -> None:
    person = add_user(site)
    own = httpx.Client(base_url=site.url, headers={"Origin": site.url})
    own.post("/api/v1/auth/login", json={"email": person["email"], "password": PASSWORD})
    board = own.post("/api/v1/dashboards", json={"name": "Left behind"}).json()["data"]
    page = await opened(signed_in, site, "/users")
    row = page.locator(f'[data-user="{person["id"]}"]')
    await row.locator('[data-action="delete"]').click()
    await expect(page.locator("dialog")).to_contain_text("It owns 1 dashboard")
    await page.locator("dialog button", has_text="Cancel").click()
    await row.locator('[data-action="delete"]').click()
    await page.locator("dialog .danger").click()
    await expect(row).to_have_count(0)
    me = site.api.get("/api/v1/auth/me").json()["data"]["id"]
    assert site.api.get(f"/api/v1/dashboards/{board['id']}").json()["data"]["ownerId"] == me
    site.api.delete(f"/api/v1/dashboards/{board['id']}")


@pytest.mark.parametrize("path", ["/users", "/audit"])
async def test_others_do_not_see_who_there_is(anonymous: BrowserContext, site: Site, path: str) -> None:
    await sign_in(anonymous, site.url, "viewer@example.org")
    page = await anonymous.new_page()
    answer = await page.goto(f"{site.url}{path}")
    assert answer is not None
    assert answer.status == 403
    assert "admin@example.org" not in await page.content()
    await page.goto(site.url)
    await expect(page.locator('.rail a[href="/account"]')).to_be_visible()
    await expect(page.locator('.rail a[href="/users"]')).to_have_count(0)
