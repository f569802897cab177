"""What is said of a hand-in that is refused, as templates: pages and terminal translate them.

Those of a CSV stand where they are made (`prediction_csv.tally.KINDS`); a test reads the sources
and holds every other sentence against these.
"""

from __future__ import annotations

from typing import Final

TEMPLATES: Final = (
    # hints whose cause was found in the ids and classes of the file
    "ids carry a folder: write {value}",
    "ids carry a file extension or a decimal point: write {value}",
    "ids are padded with zeros: write {value}",
    "ids have lost their leading zeros: write {value}",
    "ids lack their file extension: write {value}",
    "ids are written in capitals: write {value}",
    "ids are written in small letters: write {value}",
    "ids carry white space: write {value}",
    "ids start at 0, not at 1",
    "did you mean {value}?",
    # bundles
    "the bundle holds more than {value} files and folders",
    "leave out data sets, caches and environments",
    "the bundle unpacks to more than {value} MB",
    "leave out what the model does not need; store weights in half precision",
    "the archive unpacks to more than {value} times its size",
    "hand in the files that training wrote, not padding",
    "{value} and {expected} differ in case only",
    "{value} is a file and a folder at once",
    "rename one: on some disks they are one file",
    "model.py is missing",
    "model.py is missing; there is one at {value}",
    "put model.py, with build_model() in it, at the top of the bundle",
    "there are several checkpoints: {value}",
    "keep one checkpoint file, or only files in checkpoints/",
    "checkpoints/ holds {value} in two formats",
    "keep one of them",
    "{value} is no valid safetensors file: its header is cut off or oversized",
    "write it with safetensors.torch.save_file(model.state_dict(), ...)",
    "claims.toml is larger than 64 KB",
    "claims.toml is no valid TOML: {value}",
    "write lines such as accuracy = 0.76",
    "{value} is in the archive twice",
    "pack the folder afresh",
    "{value} is a {expected}, not a file",
    "pack the files themselves (zip without -y, tar with --dereference)",
    "{value} holds a character that names must not hold",
    "rename it",
    "{value} is not a relative path",
    "pack from inside the folder",
    "{value} leads out of the bundle",
    "{value} has a part that ends in a space or dot",
    "{value} is nested too deeply or its name is too long",
    "shorten it",
    "pack the folder again and hand that in",
    "this assignment takes {value}, not {expected}",
    "the archive is damaged or of an unknown kind: {value}",
    "this is neither a folder nor a .zip, .tar.gz or .tar archive",
    "a header of the archive is far too large",
    "the archive is encrypted",
    "the archive is cut off",
    "entries of the archive overlap",
    "the archive is compressed in an unusual way",
    # warnings
    "there is no checkpoint.safetensors, checkpoint.pt or checkpoints/",
    "there is no checkpoint.safetensors, checkpoint.pt or checkpoints/; rename {value}?",
    # what the ranking needs
    "{value} needs scores: one column a class",
    "{value} needs probabilities: one column a class",
)
