"""What the teaching team looks at while a course runs. Reads only."""
