"""How it is computed: loops over arrays, and passes that change the order of computation but not the result."""
