"""What is chosen of a dashboard's variables: what the link asks for, and for the rest what there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from dashapp.contract.variables import Chosen, Variable, chosen_in
from dashapp.errors import NotFound
from dashapp.metrics.catalog import Catalog

if TYPE_CHECKING:
    from dashapp.database.pool import Database


async def choose(database: Database, variables: Sequence[Variable], asked: Mapping[str, Iterable[str]]) -> Chosen:
    """By variable its chosen values. The tags' values are only looked up where one can't be all and nothing is chosen.

    Raises:
        Unavailable: the database can't be reached.
    """
    known: dict[str, list[str]] = {}
    for variable in variables:
        if variable.metric and variable.tag and not variable.all and not asked.get(variable.name):
            try:
                known[variable.name] = (await Catalog(database).tags(variable.metric)).get(variable.tag, [])
            except NotFound:
                known[variable.name] = []
    return chosen_in(variables, asked, known)
