"""The alternatives; run in the benchmark's virtual environment, never in ours."""
