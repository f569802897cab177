"""An agent: runs the code of others for a server that it knows by its address and a token."""
