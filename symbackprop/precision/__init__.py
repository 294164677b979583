"""In which form a derived formula is computed: neither overflowing nor cancelling, measured in ULP against mpmath."""
