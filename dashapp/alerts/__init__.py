"""Alerts: rules judged tick by tick (`machine`, `evaluator`), what is told of it (`outbox`, `sender`), replays (`backtest`)."""
