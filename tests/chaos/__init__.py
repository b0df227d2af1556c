"""Whole systems that are killed, frozen, cut off and filled up while they build."""
