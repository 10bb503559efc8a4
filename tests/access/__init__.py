"""Who may read what, from a simulated site through the real ingest to signed calls over HTTP."""
