"""What students see: routes only; each parses, calls one service and renders."""
