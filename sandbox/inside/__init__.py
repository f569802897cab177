"""The student's side of the wall: what this folder holds is copied in."""
