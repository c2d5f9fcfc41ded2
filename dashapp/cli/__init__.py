"""Floor 6: the command line.

Commands import what they need when they run: an agent must not carry the server, and ``--help`` answers at once.
"""
