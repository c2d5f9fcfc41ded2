"""Floor 0: every model that crosses a boundary. REST, panels, files and jobs use these and no second definition."""
