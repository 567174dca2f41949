"""How fast it is, beside what one would use instead: `make bench`, and what each row means in README.md."""
