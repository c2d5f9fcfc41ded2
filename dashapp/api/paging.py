"""Lists that come in pages: which one is asked for, and what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query, Response

from dashapp.api.answers import Data, data
from dashapp.contract.base import Model

T = TypeVar("T")


class PageMeta(Model):
    total: int
    page: int
    page_size: int


class Page(Data[list[T]], Generic[T]):
    """A page of a list."""

    meta: PageMeta


@dataclass(frozen=True)
class Paging:
    """Which page, from 1, and how many a page."""

    page: int
    page_size: int

    def answer(self, found: Sequence[object], total: int) -> Response:
        """What stands on this page of `total` in all."""
        return data(found, meta=PageMeta(total=total, page=self.page, page_size=self.page_size))


async def _paging(
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1, page_size: Annotated[int, Query(ge=1, le=200, alias="pageSize")] = 50
) -> Paging:
    return Paging(page, page_size)


Paged = Annotated[Paging, Depends(_paging)]
