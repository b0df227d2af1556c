"""Histories of real sessions, and their replay: a change of a workflow must not strand the sessions that run."""
