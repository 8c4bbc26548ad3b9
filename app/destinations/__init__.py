"""Destination management: the policy, its storage and its API.

Source: Bird, Destination management API.
"""
