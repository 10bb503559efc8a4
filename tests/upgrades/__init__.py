"""Tests of upgrades: indexes of every release, and of backups."""
