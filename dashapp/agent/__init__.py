"""The host agent: samples this machine, buffers on disk, sends to a dashapp server over its public API."""
