"""What is tried against a design, each attempt compared with what the intent declares."""
