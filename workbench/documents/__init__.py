"""Documents as data: where they are read from, their shape, the validator they ask for, designs from rows."""
