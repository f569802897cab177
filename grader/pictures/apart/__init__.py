"""Pictures decoded by a process of their own, which can reach nothing but what it is sent.

`decoder` is its keeper, `child` what it runs, `walls` what it puts up around itself first.
"""
