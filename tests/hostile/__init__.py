"""Every hostile behaviour, what users get of it, and the table that says so: see play.py."""
