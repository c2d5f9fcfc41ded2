"""What senders write, read into columns: JSON points, Prometheus remote write, InfluxDB line protocol."""
