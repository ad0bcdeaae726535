"""REST of the portal: one module per family of methods, dispatched in `dispatch`."""
