"""`make bench`: what it costs and how fast it cuts off, measured from outside on a real API server with etcd's fsync on."""
