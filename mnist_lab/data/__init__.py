"""Where the images come from, which of them a run sees, and how they are varied."""
