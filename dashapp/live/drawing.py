"""A Bokeh document drawn once for everybody who looks at it.

The document belongs to no session. Its JSON goes into each page, and what a tick changes is written down once, as a patch of
that document, and sent to every viewer as it is. So a viewer more costs a copy of some kilobytes a tick, whatever the
panels cost to compute.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson
from bokeh.core.serialization import Serializer
from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent
from bokeh.model import Model

log = logging.getLogger(__name__)

#: Changes that are kept for viewers who were away for a moment; beyond, they get the whole picture.
_KEPT_CHANGES = 60
_KEPT_BYTES = 1_000_000
#: A document that was written down is kept until the changes since are longer than this.
_MOST_PATCHED_BYTES = 60_000

_numbers = count(1)


@dataclass(frozen=True)
class Change:
    """What one tick changed: a patch of the document as JSON, and its number."""

    number: int
    patch: bytes


#: Told of each change as it comes; must not block.
Listener = Callable[[Change], None]


class Drawing:
    """A document with one root, and its changes in order. `begin` once the root is whole."""

    def __init__(self, root: Model) -> None:
        self.root = root
        self.document = Document()
        #: Tells these changes from those of the drawing that a page showed before.
        self.number = next(_numbers)
        #: The number of the newest change.
        self.at = 0
        #: Told of each change.
        self.listeners: set[Listener] = set()
        self._events: list[DocumentPatchedEvent] = []
        self._changes: deque[Change] = deque()
        self._kept_bytes = 0
        #: The document as JSON, and the change up to which that stands.
        self._written: tuple[int, bytes] | None = None

    def begin(self) -> None:
        """Take the root in; what changes from now on is a change."""
        self.document.add_root(self.root)
        self.document.on_change(self._note)

    def picture(self) -> bytes:
        """The whole as JSON: the document, the id of its root, and the change up to which it stands.

        Writing the document down takes longer than anything else about a page. So it is kept, and followed by the changes
        since, for as long as those are short.
        """
        since = self.since(self._written[0]) if self._written else None
        if since is None or sum(len(change.patch) for change in since) > _MOST_PATCHED_BYTES:
            written = {"board": self.number, "cards": self.root.id, "document": self.document.to_json(deferred=False)}
            self._written, since = (self.at, orjson.dumps(written)), []
        assert self._written is not None
        patches = b",".join(change.patch for change in since)
        return b'%s,"at":%d,"patches":[%s]}' % (self._written[1][:-1], self.at, patches)

    def since(self, number: int) -> list[Change] | None:
        """The changes after `number`; None where they aren't kept any more."""
        missed = [change for change in self._changes if change.number > number]
        return missed if len(missed) == self.at - number else None

    def message(self, changes: Iterable[Change], at: int) -> bytes:
        """Changes up to `at` as a page takes them."""
        return b'{"board":%d,"at":%d,"patches":[%s]}' % (self.number, at, b",".join(change.patch for change in changes))

    @contextmanager
    def change(self, *, plots: bool = False) -> Iterator[None]:
        """What the block changes becomes one change for all viewers, so that a tick is one redraw.

        `plots` says that some come or go. Then which models the document has is found out once, at the end: it takes longer
        than making a plot.
        """
        self._events = []
        try:
            with self.document.models.freeze() if plots else nullcontext():
                yield
        finally:
            events, self._events = self._events, []
            if events:
                self._tell(events)

    def _note(self, event: Any) -> None:
        if isinstance(event, DocumentPatchedEvent):
            self._events.append(event)

    def _tell(self, events: list[DocumentPatchedEvent]) -> None:
        models = self.document.models
        serializer = Serializer(references=models.synced_references, deferred=False)
        patch = orjson.dumps({"events": serializer.encode(events)})
        models.flush_synced(lambda model: not serializer.has_ref(model))
        self.at += 1
        change = Change(self.at, patch)
        self._changes.append(change)
        self._kept_bytes += len(patch)
        while len(self._changes) > _KEPT_CHANGES or self._kept_bytes > _KEPT_BYTES:
            self._kept_bytes -= len(self._changes.popleft().patch)
        for listener in list(self.listeners):
            try:
                listener(change)
            except Exception:
                log.exception("a viewer failed")
