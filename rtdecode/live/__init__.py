"""The live decoder's two processes: one loop that decodes (core), and whoever started it (supervisor)."""
