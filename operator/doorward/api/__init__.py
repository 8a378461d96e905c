"""What people write: the three kinds, their reasons and conditions."""
