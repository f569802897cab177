"""Written by train.py."""

NUM_CLASSES = 10
CHANNELS = 1
