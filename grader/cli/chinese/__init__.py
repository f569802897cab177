"""What the command says, in Chinese."""
