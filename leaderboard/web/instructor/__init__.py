"""What course staff see and do: routes only."""
