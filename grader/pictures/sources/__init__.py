"""What people bring pictures with their classes in, a kind of source a file.

`recognise` says which kind a path is; each kind gives a `Collection`.
"""
