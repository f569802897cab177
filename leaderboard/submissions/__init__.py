"""The one door: uploads, admission, accepting, cancelling."""
