"""Runs: what one is on disk, the store that keeps them, and the jobs and the queue that make them.

Nothing here imports torch when it is imported: the first page is on screen before torch is loaded.
"""
