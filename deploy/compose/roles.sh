#!/bin/sh
# Run once by the image of Postgres, in an empty database: the index, its owner, and a login for the
# server that cannot write.
set -eu

# The password in a file with postgresql://user:password@host/database.
password() {
    sed 's|^[^:]*://[^:]*:\([^@]*\)@.*$|\1|' "$1"
}

psql --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres \
    --set=ingest="$(password "${SECRETS:-/run/secrets}/ingest_postgres_url")" \
    --set=server="$(password "${SECRETS:-/run/secrets}/server_postgres_url")" <<'SQL'
CREATE ROLE confluence_mcp_reader;
CREATE ROLE wiki_ingest LOGIN PASSWORD :'ingest';
GRANT confluence_mcp_reader TO wiki_ingest;
CREATE ROLE wiki_server LOGIN PASSWORD :'server' IN ROLE confluence_mcp_reader;
CREATE DATABASE wiki OWNER wiki_ingest;
\connect wiki
CREATE EXTENSION vector;
SQL
