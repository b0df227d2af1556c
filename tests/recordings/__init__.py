"""Recorded provider answers read through the same code that reads live ones."""
