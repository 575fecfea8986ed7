"""Measures the live decoder as a user meets it: a sender in another process, the real core, one clock."""
