"""What is written and read again: modules, models, pictures; never half a file, never unpickled."""
