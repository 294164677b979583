"""What a user asks for, as the request of a module: checked early, in one line where it is wrong."""
