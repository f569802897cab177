"""What is done to images: by evaluation, the same every time, and by training at random."""
