"""The same page in Streamlit, as its documentation would have it: a script that runs anew for each who opens it, rows of three
columns, a chart in each. Its numbers come out of memory: no database is asked.

``streamlit run benchmarks/streamlit_page.py``, with the checkout on Python's path; see `benchmarks.peers`.
"""

from __future__ import annotations

import streamlit as st

from benchmarks.data import HEIGHT, PANELS, ROW_PX, WIDTH
from benchmarks.figures import figure

st.set_page_config(page_title="bench", layout="wide")
_across = 12 // WIDTH
for first in range(0, PANELS, _across):
    for panel, column in enumerate(st.columns(_across), first):
        with column:
            st.markdown(f"###### Panel {panel + 1}")
            # Streamlit's own theme would redo the colours in the browser.
            st.plotly_chart(figure(panel), key=f"panel{panel}", theme=None, height=HEIGHT * ROW_PX - 44)
