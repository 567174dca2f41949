"""`/console`: pages for the person on duty, rendered here; nothing of them comes from elsewhere."""
