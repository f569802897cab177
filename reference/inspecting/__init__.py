"""What a recipe will do, what a run's answers are worth by class, how small it can be made."""
