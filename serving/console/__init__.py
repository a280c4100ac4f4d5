"""The officers' console: a page that a browser runs, asking the same API as everybody else."""
