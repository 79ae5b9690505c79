"""What regions hold, and how well simulation describes data there."""
