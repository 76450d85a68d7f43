"""What is behind ``./dev``: provisioning, servers for tests and demo, checks."""
