"""Pictures that explain what a trained model looks at, takes apart and gets wrong.

`maps` (class activation maps), `saliency` (gradients of pixels), `features` (t-SNE and PCA),
`dreams` (DeepDream, activation maximisation) and `mistakes` compute; `drawing` makes PNGs of what
they give; `explained` reads a run, `commands` are `reference explain …`.
"""
