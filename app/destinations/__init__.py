"""Destination management. Source: Bird, Destination management API."""
