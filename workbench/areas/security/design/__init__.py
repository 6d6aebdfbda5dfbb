"""The design that an intent asks for, as parts that can be applied, undone and broken one by one."""
