"""The benchmark behind `make bench`: what one machine carries, in one table."""
