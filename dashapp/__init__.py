"""dashapp: self-hosted metrics monitoring and dashboards."""

__version__ = "0.1.0"
