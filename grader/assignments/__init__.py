"""An assignment folder: its settings, answers, images and public pack."""
