"""Floor 4: the live hub, and boards. All viewers of the same query share one incremental database query a tick."""
