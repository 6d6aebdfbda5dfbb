"""Security: who may do what to which rows, as a design that was attacked."""
