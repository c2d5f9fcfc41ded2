"""The seam between storage tiers.

Whatever the tier, the rest of `dashapp.metrics` knows the relations ``metrics_raw``, ``metrics_1min`` and
``metrics_1hour``, the stored horizons (``retention_horizons``), and three things of this package: that a day can be
written to (`partitions.Partitions.ensure`), what a transaction of ingest records about late data (`dirty.mark`),
and the job that keeps the rollups true and drops what is too old (`jobs.StorageJobs`).

The job is the same on every tier: one leader, one step of refresh after another, horizons that advance before anything is
dropped. What a tier has of its own are two classes. ``postgres`` has `refresh.Refresh` (rollup tables) and
`retention.Retention` (range partitions); ``timescaledb`` has `aggregates.AggregateRefresh` (continuous aggregates) and
`retention.ChunkRetention` (chunks), with TimescaleDB's own `policies` behind them. Tables that are range-partitioned on
every tier are served on every tier.
"""
