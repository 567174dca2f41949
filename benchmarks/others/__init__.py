"""What one would use instead; run by the benchmark's own environment, never by ours."""
