# syntax=docker/dockerfile:1
# The server, the worker and every other command: docker build -t confluence-mcp .
#
# The same commit gives the same files: tested versions, a named base, and with
# --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" the same times, too. A mirror of yours
# can stand in for the base, also by its digest: --build-arg BASE=….
ARG BASE=python:3.13.14-slim-trixie

FROM ${BASE} AS build
ARG SOURCE_DATE_EPOCH=0
# With attachments, PDFs are read; multilingual adds a bundled model for other languages (x86-64).
ARG EXTRAS=attachments
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv --without-pip /opt/confluence-mcp && pip install hatchling==1.33.0
COPY pyproject.toml constraints.txt README.md CHANGELOG.md LICENSE ./
COPY confluence_mcp confluence_mcp
COPY index index
COPY ingest ingest
COPY server server
COPY evals evals
# Bytecode is checked against its source by content, so that no time of the build is in it.
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && set -- /wheels/*.whl \
 && pip --python /opt/confluence-mcp/bin/python install --constraint constraints.txt "$1[${EXTRAS}]"

FROM ${BASE}
LABEL org.opencontainers.image.title="confluence-mcp" \
      org.opencontainers.image.description="Find, read and cite what a company knows in Confluence" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/confluence-mcp /opt/confluence-mcp
# Nothing is written but to /tmp, which may be a tmpfs on a read-only root.
ENV PATH=/opt/confluence-mcp/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --start-interval=2s CMD \
    ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/readyz', timeout=8)"]
ENTRYPOINT ["confluence-mcp"]
CMD ["serve", "--transport", "http", "--host", "0.0.0.0"]
