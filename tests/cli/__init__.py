"""Commands, called as operators call them."""
