"""A dict in bounded memory."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memory(Generic[K, V]):
    """Remembers up to twice `size` entries, the ones asked for last.

    Two generations instead of an ordered list: a hit in the old one moves it to the young one.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: K) -> V | None:
        if (known := self._young.get(key)) is None and (known := self._old.get(key)) is not None:
            self.put(key, known)
        return known

    def put(self, key: K, value: V) -> None:
        if len(self._young) >= self.size:
            self._young, self._old = {}, self._young
        self._young[key] = value

    def clear(self) -> None:
        self._young, self._old = {}, {}
