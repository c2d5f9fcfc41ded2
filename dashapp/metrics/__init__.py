"""The store of samples: points in (`ingest`), frames out (`query`), what is known about metrics (`catalog`)."""
