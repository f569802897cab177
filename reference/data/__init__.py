"""Image sets as uint8 arrays: where each was found, what its bytes hash to, how it is split.

    images = load("fashion-mnist")
    training, validation = stratified_split(images.train_labels, 0.1, seed=0)

`catalogue` names the sets, `derived` makes other real tasks of Fashion-MNIST, `generated` writes
drawn images in the on-disk forms of sets that can't be had, `store` keeps what was decoded.
NumPy reads them all but photographs (Pillow) and `digits` (scikit-learn).
"""

from reference.data.catalogue import load, names
from reference.data.image_set import ImageSet
from reference.data.splits import stratified_split

__all__ = ["ImageSet", "load", "names", "stratified_split"]
