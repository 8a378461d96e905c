"""Guarded Services: which Services are behind targets that opted in, told to the admission policy."""
