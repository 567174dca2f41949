"""`/console`: server-rendered pages for the person on duty, without foreign resources."""
