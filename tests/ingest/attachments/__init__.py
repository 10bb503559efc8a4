"""Tests of how attached files are read."""
