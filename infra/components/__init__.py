"""Components: one noun a file, a component class and the class of its arguments."""
