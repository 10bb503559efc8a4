"""Tests of the index, on a real Postgres."""
