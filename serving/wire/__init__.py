"""What goes over the wire: bodies, answers and problems."""
