"""Lessons: short guided experiments, each a text file that anybody can write."""
