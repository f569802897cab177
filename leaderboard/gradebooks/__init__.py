"""The gradebooks of other platforms, read and filled without changing a byte of theirs."""
