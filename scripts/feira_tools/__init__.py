"""What the scripts and the black-box tests share: running a server, speaking HTTP to it, reading its database."""
