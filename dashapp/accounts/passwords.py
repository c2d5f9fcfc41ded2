"""Passwords: argon2id, in threads of their own, and as slow for unknown accounts as for known ones."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from dashapp.errors import RateLimited

#: Each verification takes 64 MiB for about 50 ms, so few run at once and few may wait.
_THREADS = 2
_LONGEST_QUEUE = 50

_hasher = PasswordHasher()
_executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="passwords")
_waiting = 0


@cache
def _nobodys_hash() -> str:
    return _hasher.hash("the password of an account that doesn't exist")


def _verify(stored: str | None, password: str) -> tuple[bool, str | None]:
    """Whether the password fits, and a fresh hash where the stored one is of older parameters."""
    against = stored or _nobodys_hash()
    raw = password.encode("utf-8", "surrogatepass")
    try:
        _hasher.verify(against, raw)
    except (VerificationError, InvalidHashError):
        return False, None
    if stored is None:
        return False, None
    return True, _hasher.hash(raw) if _hasher.check_needs_rehash(stored) else None


async def verify(stored: str | None, password: str) -> tuple[bool, str | None]:
    """Whether `password` fits the stored hash, and a fresh hash where that one is of older parameters.

    Without a stored hash it takes the same time and answers no.

    Raises:
        RateLimited: too many verifications wait already.
    """
    global _waiting
    if _waiting >= _LONGEST_QUEUE:
        raise RateLimited("Too many people sign in at this moment; try again in a few seconds.", retry_after=3)
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_executor, _verify, stored, password)
    finally:
        _waiting -= 1


async def hashed(password: str) -> str:
    """The argon2id hash to store."""
    raw = password.encode("utf-8", "surrogatepass")
    return await asyncio.get_running_loop().run_in_executor(_executor, _hasher.hash, raw)
