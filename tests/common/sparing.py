"""What a server of a test does without: it costs seconds of processor time at each start."""

from __future__ import annotations

# No sandboxes are kept warm: the one or two that a test needs would be outnumbered by those that
# nobody takes. Nor are the runner's files held in memory. `test_evaluating.py` keeps two warm, and
# tests/sandbox looks at what is held.
SPARED = {"LEADERBOARD_WARM_SANDBOXES": "0", "LEADERBOARD_HOLD_RUNNER_FILES": "no"}
