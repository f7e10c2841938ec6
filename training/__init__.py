"""Fits candidate models, measures them honestly and chooses one."""
