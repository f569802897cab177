"""From bytes to predictions: source → header → rows, with every problem tallied.

`source` bounds what is read, `header` finds the columns, `plain` reads regular rows by the
million with NumPy, `exact` reads one row to the letter of the contract, `lookup` finds ids and
class names, `tally` collects problems and words them.
"""
