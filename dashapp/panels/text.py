"""Words, in Markdown: what the plots beside it mean, whom to call, where to look next."""

from __future__ import annotations

from collections.abc import Sequence

import param

from dashapp.contract.frames import Frame
from dashapp.panels.base import Panel
from dashapp.panels.lines import Line
from dashapp.panels.markup import html_of


class TextPanel(Panel):
    kind = "text"
    label, about = "Text", "Words, lists and links, in Markdown."
    sketch = "M4 5h26M4 12h40M4 18h36M4 24h22"
    asks = False
    options = ("content",)
    size = (4, 3)

    content = param.String(default="", doc="The text, in Markdown.")

    def _build(self) -> None:
        return None

    def update(self, frames: Sequence[Frame], start_ms: int, end_ms: int, *, live: bool = True) -> None:  # noqa: ARG002
        if self.content.strip():
            self.card.update(state="live", message="", html=html_of(self.content))
        else:
            self.card.update(state="empty", message="This panel has no text yet; its editor takes Markdown", html="")

    def _draw(self, lines: list[Line]) -> None:
        """Frames show nothing here."""

    def _clear(self) -> None:
        self.card.html = ""
