"""One run: its request, its session, its judgement."""
