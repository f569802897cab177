"""What a report claims about its own scores, held against what was measured."""
