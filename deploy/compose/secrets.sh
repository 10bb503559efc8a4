#!/bin/sh
# Makes the passwords that compose.yaml needs, in secrets/, once.
set -eu

umask 077
# An installation that lost its passwords cannot be entered any more, so none is replaced.
mkdir secrets

password() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

password >secrets/postgres_password
printf 'postgresql://wiki_ingest:%s@postgres/wiki' "$(password)" >secrets/ingest_postgres_url
printf 'postgresql://wiki_server:%s@postgres/wiki' "$(password)" >secrets/server_postgres_url
# The users in the containers read them; others of this machine do not get into the folder.
chmod 644 secrets/*
