"""The secrets that dashapp hands out. The database keeps only their SHA-256: whoever reads it can't sign in.

They are 256 random bits, so a plain hash suffices; only passwords, which people choose, need argon2.
"""

from __future__ import annotations

import hashlib
import secrets

#: Tokens start with this, so that people and secret scanners recognise one.
TOKEN_PREFIX = "dashapp_"


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def new_token() -> str:
    return TOKEN_PREFIX + new_secret()


def digest(secret: str) -> bytes:
    """SHA-256 of what a client sent, 32 bytes; any text at all may come here."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
