"""What dashapp costs, measured beside peers in the same run."""
