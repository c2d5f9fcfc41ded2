"""Floor 5: the pages that people see. Thin: no SQL, no rules; plain HTML and CSS around bare Bokeh plots."""
