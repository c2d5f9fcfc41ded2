"""A small OpenID Connect provider on this machine, which can be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT_ID, CLIENT_SECRET = "dashapp", "a secret with : and %"

KEYS = [RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}) for _ in range(2)]


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class TestProvider:
    """Signs everybody in at once, as whom `claims` say."""

    __test__ = False

    def __init__(self) -> None:
        self.url = ""
        #: Over what an honest ID token has; None leaves a claim out.
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        #: Over what an honest discovery document has.
        self.metadata: dict[str, Any] = {}
        self.algorithm = "RS256"
        self.key = self.signing_key = KEYS[0]
        #: What the authorization endpoint was asked, by the code that it gave.
        self.codes: dict[str, dict[str, str]] = {}

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys", "userinfo_endpoint": f"{self.url}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        } | self.metadata  # fmt: skip

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser is sent back to."""
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        assert len(asked["state"]) >= 32
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, given: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self.codes.pop(given.get("code", ""), None)
        challenge = _base64(hashlib.sha256(given.get("code_verifier", "").encode()).digest())
        client = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        if asked is None or challenge != asked["code_challenge"] or given.get("redirect_uri") != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        if client != f"{CLIENT_ID}:{CLIENT_SECRET}":
            return 401, {"error": "invalid_client"}
        now = int(time.time())
        claims = {
            "iss": self.url, "sub": "42", "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
            "email": "ada@example.org", "email_verified": True,
        } | self.claims  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": "one"}
        if self.algorithm == "RS256":
            signed = jwt.encode(header, claims, self.signing_key)
        else:  # what anybody can make: unsigned, or "signed" with the public key as if it were a shared secret
            parts = [_base64(json.dumps(part).encode()) for part in (header, claims)]
            secret = self.key.as_pem(private=False)
            mac = hmac.digest(secret, ".".join(parts).encode(), "sha256") if self.algorithm == "HS256" else b""
            signed = ".".join([*parts, _base64(mac)])
        return 200, {"access_token": "for userinfo", "token_type": "Bearer", "id_token": signed}


def _handler(provider: TestProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _json(self, body: dict[str, Any], status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.authorize(dict(parse_qsl(parts.query))))
                self.end_headers()
            elif parts.path == "/userinfo":
                assert self.headers["Authorization"] == "Bearer for userinfo"
                self._json(provider.userinfo)
            else:
                keys = KeySet([provider.key]).as_dict(private=False)
                self._json({"/keys": keys}.get(parts.path, provider.discovery()))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, answer = provider.token(dict(parse_qsl(body)), self.headers.get("Authorization", ""))
            self._json(answer, status)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def running_provider() -> Iterator[TestProvider]:
    provider = TestProvider()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(provider))
    provider.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
