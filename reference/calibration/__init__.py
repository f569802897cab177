"""Whether a baseline that is trained anew each night has moved from its card: pure functions."""
