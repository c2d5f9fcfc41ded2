from __future__ import annotations

import pytest

from dashapp.accounts.browser import expired_cookie, same_origin, session_cookie


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://dash.test"}, False),
        ({"origin": "http://dash.test"}, True),
        ({"origin": "https://dash.test"}, True),  # TLS ends at a proxy, and the port is left out
        ({"origin": "http://dash.test:80"}, True),
        ({"origin": "http://dash.test:8080"}, False),
        ({"origin": "http://evil.test"}, False),
        ({"origin": "http://dash.test.evil.test"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "http://dash.test:99999999"}, False),
        ({"origin": "https://metrics.example.org"}, True),
    ],
)
def test_same_origin(headers: dict[str, str], own: bool) -> None:
    assert same_origin({"host": "dash.test", **headers}, base_url="https://metrics.example.org") is own


def test_ports_count() -> None:
    assert same_origin({"host": "127.0.0.1:5006", "origin": "http://127.0.0.1:5006"})
    assert not same_origin({"host": "127.0.0.1:5006", "origin": "http://127.0.0.1:5007"})
    assert same_origin({"host": "[::1]:5006", "origin": "http://[::1]:5006"})


def test_cookies() -> None:
    assert "Secure" in session_cookie("x", secure=True)
    plain = session_cookie("x", secure=False)
    assert "Secure" not in plain
    for part in ("dashapp_session=x;", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in plain
    assert "Max-Age=0" in expired_cookie(secure=False)
