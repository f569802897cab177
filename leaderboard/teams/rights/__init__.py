"""What somebody is in a course: given by instructors."""
