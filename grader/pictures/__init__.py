"""Pictures as people bring them: one reader for new assignments, publishing and the references.

`sources` recognises what a path holds, `survey` looks at all of it before anything is decoded,
`decoding` makes one file upright 8-bit pixels, and `duplicates` finds what is there twice.
"""
