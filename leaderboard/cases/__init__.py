"""A question about a submission: asked, heard and decided by people, never by a machine alone."""
