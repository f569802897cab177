"""Reading the settings of a recipe."""
