"""`from grader import Client`: hand in from a notebook (Colab, Kaggle, Jupyter) or a script."""
