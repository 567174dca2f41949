"""Benchmarks of the service and of its alternatives: `make bench`; README.md explains each row."""
