"""Floor 4: a dashboard as one HTML file that opens from disk and asks nobody for anything."""
