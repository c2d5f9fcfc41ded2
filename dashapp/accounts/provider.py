"""Sign-in through an OpenID Connect provider: the authorization code flow with PKCE, by Authlib.

A sign-in begins with `Provider.begin`, whose ticket the browser carries while it is away, and ends with
`Provider.finish`. Who comes back is known by an e-mail that the provider has verified.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import secrets
import time
from typing import TYPE_CHECKING, Any

from dashapp.errors import DashappError, StartupError, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashapp.contract.accounts import Role
    from dashapp.settings import Settings

#: Seconds that somebody may take at the provider; that clocks may differ by; and for which its addresses are believed.
TICKET_SECONDS = 600
_LEEWAY = 60
_DISCOVERY_SECONDS = 3600
#: Signatures with a key of the provider's. Neither `none` nor those with a shared secret.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_SCOPE = "openid email"


class ProviderAway(DashappError):
    """The sign-in provider can't be reached or answers nonsense; try again, or sign in with a password."""

    status, code = 502, "UNAVAILABLE"


def provider_of(settings: Settings) -> Provider | None:
    """
    Raises:
        StartupError: a provider is set, and Authlib isn't installed.
    """
    if not settings.oidc_issuer:
        return None
    if not all(importlib.util.find_spec(name) for name in ("authlib", "httpx2", "joserfc")):
        raise StartupError("DASHAPP_OIDC_ISSUER needs Authlib; pip install 'dashapp[oidc]'.")
    return Provider(settings)


class Provider:
    """One provider, and this dashapp as a client of it."""

    def __init__(self, settings: Settings) -> None:
        from joserfc.jwk import OctKey

        self.name = settings.oidc_name
        #: Of accounts made at the first sign-in; None makes none.
        self.role: Role | None = None if settings.oidc_role == "none" else settings.oidc_role
        self._issuer, self._client_id = settings.oidc_issuer, settings.oidc_client_id
        self._secret = settings.oidc_client_secret.get_secret_value()
        self._domains = {part.strip().lower().lstrip("@") for part in settings.oidc_domains.split(",") if part.strip()}
        self._key = OctKey.import_key(hashlib.sha256(b"dashapp sign-in ticket" + settings.key().encode()).digest())
        self._discovered: tuple[float, dict[str, Any]] = (-float("inf"), {})

    async def begin(self, redirect_uri: str, following: str) -> tuple[str, str]:
        """Where to send the browser, and the ticket that it brings back; `following` is where it goes in the end.

        Raises:
            ProviderAway: it doesn't tell its addresses.
        """
        from joserfc import jwt

        metadata = await self._metadata()
        claims = {"state": secrets.token_urlsafe(32), "nonce": secrets.token_urlsafe(32), "verifier": secrets.token_urlsafe(48)}
        async with self._client(metadata, redirect_uri) as client:
            url, _ = client.create_authorization_url(
                metadata["authorization_endpoint"], state=claims["state"], nonce=claims["nonce"], code_verifier=claims["verifier"]
            )
        expiring = {**claims, "following": following, "exp": int(time.time()) + TICKET_SECONDS}
        return str(url), jwt.encode({"alg": "HS256"}, expiring, self._key)

    async def finish(self, ticket: str, answer: Mapping[str, str], redirect_uri: str) -> tuple[str, str]:
        """The e-mail of who came back, and where they go; `answer` is what the provider put into the address.

        Raises:
            Unauthorized: the provider refused, or what it sent isn't to be believed, or the e-mail may not sign in here.
            ProviderAway: it can't be reached.
        """
        import httpx2
        from authlib.integrations.base_client import OAuthError
        from joserfc.errors import JoseError

        known = self._opened(ticket)
        if not hmac.compare_digest(known["state"].encode(), answer.get("state", "").encode("utf-8", "replace")):
            raise Unauthorized("This sign-in was begun in another window or browser; begin anew.")
        if answer.get("iss", self._issuer) != self._issuer:
            raise Unauthorized("This answer comes from another provider; begin anew.")
        if "code" not in answer:
            raise Unauthorized("The provider didn't sign you in.")
        metadata = await self._metadata()
        try:
            async with self._client(metadata, redirect_uri) as client:
                token = await client.fetch_token(
                    metadata["token_endpoint"],
                    code=answer["code"],
                    code_verifier=known["verifier"],
                    grant_type="authorization_code",
                )
                keys = (await client.request("GET", metadata["jwks_uri"], withhold_token=True)).raise_for_status().json()
                claims = self._believed(token, keys, metadata, known["nonce"])
                if "email" not in claims and "userinfo_endpoint" in metadata:
                    more = (await client.get(metadata["userinfo_endpoint"])).raise_for_status().json()
                    claims = claims | more if more.get("sub") == claims["sub"] else claims
        except httpx2.HTTPError as error:
            raise ProviderAway from error
        except OAuthError as error:
            raise Unauthorized("The provider doesn't take this sign-in; begin anew.") from error
        except (JoseError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise Unauthorized(f"The provider's answer isn't to be believed ({_reason(error)}); begin anew.") from error
        return self._email(claims), known["following"]

    def _opened(self, ticket: str) -> dict[str, str]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            claims = jwt.decode(ticket, self._key, algorithms=["HS256"]).claims
            jwt.JWTClaimsRegistry(exp={"essential": True}).validate(claims)
        except (JoseError, ValueError) as error:
            raise Unauthorized("This sign-in took too long, or was begun in another browser; begin anew.") from error
        return {name: str(value) for name, value in claims.items()}

    def _believed(self, token: dict[str, Any], keys: Any, metadata: dict[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of the ID token: signed by the provider, for this client, for this sign-in, and fresh."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.jwk import KeySet
        from joserfc.jws import JWSRegistry

        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        registry = JWSRegistry(algorithms=[name for name in _ALGORITHMS if name in offered], strict_check_header=False)
        decoded = jwt.decode(token["id_token"], KeySet.import_key_set(keys), registry=registry)
        options = {"iss": {"essential": True, "value": self._issuer}, "aud": {"essential": True, "value": self._client_id}}
        params = {"nonce": nonce, "client_id": self._client_id, "access_token": token.get("access_token")}
        claims = CodeIDToken(decoded.claims, decoded.header, options, params)
        claims.validate(leeway=_LEEWAY)
        return dict(claims)

    def _email(self, claims: dict[str, Any]) -> str:
        email, verified = str(claims.get("email", "")), claims.get("email_verified")
        if not email:
            raise Unauthorized("The provider names no e-mail; it has to share it with dashapp.")
        if verified is not True and verified != "true":  # some send text
            raise Unauthorized(f"The provider hasn't verified {email}; verify it there first.")
        domain = email.rpartition("@")[2].lower()
        if self._domains and domain not in self._domains:
            raise Unauthorized(f"E-mails at {domain} may not sign in here.")
        return email

    async def _metadata(self) -> dict[str, Any]:
        """The provider's discovery document."""
        import httpx2

        at, found = self._discovered
        if time.monotonic() - at < _DISCOVERY_SECONDS:
            return found
        address = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
        try:
            async with httpx2.AsyncClient(timeout=5) as client:
                found = dict((await client.get(address)).raise_for_status().json())
            if found["issuer"] != self._issuer:
                raise ValueError(f"it calls itself {found['issuer']!r}")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not str(found[name]).startswith(("https://", self._issuer.partition("://")[0] + "://")):
                    raise ValueError(f"its {name} isn't https")
        except (httpx2.HTTPError, KeyError, TypeError, ValueError) as error:
            raise ProviderAway(f"The sign-in provider can't be asked ({_reason(error)}); try again later.") from error
        self._discovered = (time.monotonic(), found)
        return found

    def _client(self, metadata: dict[str, Any], redirect_uri: str) -> Any:
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        return AsyncOAuth2Client(
            self._client_id, self._secret or None, scope=_SCOPE, redirect_uri=redirect_uri, code_challenge_method="S256",
            token_endpoint_auth_method=method if self._secret else "none", timeout=5,
        )  # fmt: skip


def _reason(error: Exception) -> str:
    return str(getattr(error, "description", "") or error).strip().rstrip(".") or type(error).__name__
