"""The seam between storage tiers, and the tier ``postgres`` behind it.

Whatever the tier, the rest of `dashapp.metrics` knows the relations ``metrics_raw``, ``metrics_1min`` and
``metrics_1hour``, the stored horizons (``retention_horizons``), and three things of this package: that a day can be
written to (`partitions.Partitions.ensure`), what a transaction of ingest records about late data (`dirty.mark`),
and the job that keeps the rollups true and drops what is too old (`jobs.StorageJobs`). In the tier ``postgres`` these are
range partitions, the table ``rollup_dirty`` and `refresh`; a tier that has its own means brings its own three.
"""
