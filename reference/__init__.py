"""Every baseline of the course, as a very good student would hand it in.

`reference list` shows them, `reference train lenet5` trains one, `reference bundle lenet5` packs it
as a submission. The code reads in that order: `data`, `preprocessing`, `augment`, `models`,
`recipe`, `train`, `bundling`; `assignments` makes the assignment itself and `rerun` hands every
baseline in again.
"""
