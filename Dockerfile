# dashapp's server, for a database of its own (compose.yaml brings TimescaleDB).
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY dashapp dashapp
COPY data data
RUN python -m venv /opt/dashapp && /opt/dashapp/bin/pip install --no-cache-dir -c constraints.txt ".[oidc]"

FROM python:3.13-slim
# pg_dump and pg_restore for `dashapp backup`: they must not be older than the server.
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-client && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /var/lib/dashapp dashapp
COPY --from=build /opt/dashapp /opt/dashapp
ENV PATH=/opt/dashapp/bin:$PATH DASHAPP_DATA_DIR=/var/lib/dashapp DASHAPP_HOST=0.0.0.0 DASHAPP_LOG_FORMAT=json
USER dashapp
VOLUME /var/lib/dashapp
EXPOSE 5006
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5006/readyz', timeout=2)"]
# Stops in order within the ten seconds that Docker gives.
STOPSIGNAL SIGTERM
CMD ["dashapp", "serve"]
