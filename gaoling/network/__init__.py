"""How a device gets from running to intended: render, ordered patch, guard, change."""
