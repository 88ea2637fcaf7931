"""What a delivery costs: Wardcast beside the plain library and the floor, in one run."""
