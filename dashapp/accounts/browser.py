"""Sign-in in a browser: the session's cookie, and who may send it with a change."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

COOKIE = "dashapp_session"
#: The server ends sessions; the cookie only has to outlive them, also when they slide.
COOKIE_MAX_AGE = 400 * 86_400
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def is_secure(scheme: str, base_url: str) -> bool:
    """Whether browsers come over https: by the request's scheme, or by `base_url` where a proxy took TLS off."""
    return scheme == "https" or base_url.startswith("https://")


def session_cookie(secret: str, *, secure: bool) -> str:
    """The value of ``Set-Cookie`` that signs a browser in; `secure` on https."""
    return f"{COOKIE}={secret}; Path=/; Max-Age={COOKIE_MAX_AGE}; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")


def expired_cookie(*, secure: bool) -> str:
    """The value of ``Set-Cookie`` that signs a browser out."""
    return f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")


def _host(url: str) -> tuple[str, int | None] | None:
    try:
        parts = urlsplit(url)
        return ((parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme))
    except ValueError:
        return None


def same_origin(headers: Mapping[str, str], *, base_url: str = "") -> bool:
    """Whether a request comes from dashapp's own pages, or from no page at all.

    `headers` by lower-case name. ``Sec-Fetch-Site`` can't be forged by a page and knows nothing of proxies, so it is
    believed first; else ``Origin`` has to name the host that was asked, or `base_url`'s. The scheme isn't compared:
    a proxy may have taken TLS off. A request with neither header isn't from a browser of this decade.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return True
    asked = _host(origin)
    if asked is None or not asked[0]:
        return False
    scheme = urlsplit(origin).scheme
    own = {_host(f"{scheme}://{headers.get('host', '')}"), _host(base_url) if base_url else None}
    return asked in own
