"""The same operation sent by other tools: files that they read and scripts that run in their environments."""
